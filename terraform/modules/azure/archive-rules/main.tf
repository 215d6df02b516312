# Who may do what at an archive on Azure, as data: no provider is needed to read it, and tests judge it request by request.
#
# Three holders as in docs/object-stores.md, each with two roles: one for the archive's container, one for the control container. Azure knows no condition
# on `If-None-Match`, and an upload in parts needs `write`, which could also replace: on the archive it is the retention that refuses that. So the writer
# holds no right to delete, none to set or remove a retention (`immutableStorage/runAsSuperUser`), and none on the account's settings.

locals {
  containers = "Microsoft.Storage/storageAccounts/blobServices/containers"
  blobs      = "${local.containers}/blobs"

  read   = "${local.blobs}/read"
  create = "${local.blobs}/add/action"
  write  = "${local.blobs}/write"
  delete = "${local.blobs}/delete"

  # `paths` are patterns of names in the container below which everything but reading happens; empty: anywhere in the container.
  archive = {
    writer-archive = { holder = "writer", store = "archive", data_actions = [local.read, local.create, local.write], paths = [] }
    writer-control = { holder = "writer", store = "control", data_actions = [local.read, local.create, local.write, local.delete], paths = ["*/control/*"] }

    reader-archive = { holder = "reader", store = "archive", data_actions = [local.read, local.create], paths = ["*/drills/*"] }
    reader-control = {
      holder = "reader", store = "control", data_actions = [local.read, local.create, local.write, local.delete]
      paths  = ["*/control/pins/*", "*/control/protect/*", "*/control/freeze.json"]
    }

    expirer-archive = {
      holder = "expirer", store = "archive", data_actions = [local.read, local.create, local.delete]
      paths  = ["*/snapshots/*", "*/oplog/*", "*/gaps/*", "*/references/*"]
    }
    expirer-control = { holder = "expirer", store = "control", data_actions = [local.read, local.create, local.write, local.delete], paths = ["*/control/*"] }
  }

  # One clause for each action that the paths bind; what the role lacks needs none, and reading is free.
  conditions = {
    for name, role in local.archive : name => length(role.paths) == 0 ? null : join(" AND ", [
      for action in setsubtract(role.data_actions, [local.read]) : format(
        "((!(ActionMatches{'%s'})) OR (%s))", action,
        join(" OR ", [for path in role.paths : "@Resource[${local.blobs}:path] StringLike '${path}'"])
      )
    ])
  }
}
