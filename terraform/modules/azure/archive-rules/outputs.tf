output "roles" {
  description = "Roles by name: holder (writer, reader, expirer), store (archive, control), actions on the container, data actions on its blobs, and the condition of every assignment (null: none)."
  value = {
    for name, role in local.archive : name => {
      holder = role.holder
      store  = role.store
      # Asking whether the container is there.
      actions      = ["${local.containers}/read"]
      data_actions = role.data_actions
      condition    = local.conditions[name]
    }
  }
}
