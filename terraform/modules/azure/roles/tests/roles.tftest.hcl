mock_provider "azurerm" {}

variables {
  name                     = "acme-tidemark-dev-weu"
  subscription_resource_id = "/subscriptions/00000000-0000-4000-8000-111111111111"
}

run "no_role_at_the_archive_replaces_or_unlocks" {
  assert {
    condition = alltrue([
      for role in azurerm_role_definition.archive : alltrue([
        for action in flatten([for permission in role.permissions : permission.data_actions]) : !can(regex("\\*|runAsSuperUser|deleteBlobVersion|permanentDelete|/tags/|/move/", action))
      ])
    ])
    error_message = "Retention stands behind these roles: none of them goes around it."
  }
  assert {
    condition     = alltrue([for role in azurerm_role_definition.archive : flatten([for permission in role.permissions : permission.actions]) == ["Microsoft.Storage/storageAccounts/blobServices/containers/read"]])
    error_message = "No role manages anything."
  }
}

run "the_writer_never_deletes_at_the_archive" {
  assert {
    condition     = !contains(flatten([for permission in azurerm_role_definition.archive["writer-archive"].permissions : tolist(permission.data_actions)]), "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete")
    error_message = "A stolen sidecar must not remove backups."
  }
}

run "all_but_the_writer_at_the_archive_are_bound_to_paths" {
  assert {
    condition     = [for name, role in output.archive : name if role.condition == null] == ["writer-archive"]
    error_message = jsonencode(output.archive)
  }
  assert {
    condition     = length(regexall("StringLike '\\*/drills/\\*'", output.archive["reader-archive"].condition)) == 1 && length(regexall("control/pins", output.archive["reader-control"].condition)) == 3
    error_message = "The reader writes drill reports and pins, once for each of create, replace and delete."
  }
}

run "locks_are_set_and_not_lifted" {
  assert {
    condition     = toset(flatten([for permission in azurerm_role_definition.lock.permissions : tolist(permission.actions)])) == toset(["Microsoft.Authorization/locks/read", "Microsoft.Authorization/locks/write"])
    error_message = "Who can lift a lock needs none."
  }
}

run "roles_are_for_one_subscription" {
  command = plan
  variables {
    subscription_resource_id = "/subscriptions/s/resourceGroups/g"
  }
  expect_failures = [var.subscription_resource_id]
}
