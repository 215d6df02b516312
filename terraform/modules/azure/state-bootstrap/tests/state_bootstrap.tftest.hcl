# Planned only: what must never be destroyed could not be cleaned up after a test.
mock_provider "azurerm" {
  override_during = plan
}

override_resource {
  target          = azurerm_storage_container.this
  override_during = plan
  values          = { id = "/containers/tfstate" }
}

override_resource {
  target          = azurerm_storage_container.bootstrap
  override_during = plan
  values          = { id = "/containers/bootstrap" }
}

variables {
  administrator_group_ids = { administrators = "g2" }
  account_name            = "acmetidemarkdevweust"
  resource_group_name     = "acme-tidemark-dev-weu-state"
  location                = "westeurope"
  tags                    = { app = "tidemark" }
  writers                 = { apply = { object_id = "p1" }, operators = { object_id = "g1", type = "Group" } }
}

run "states_are_private_and_versioned" {
  command = plan
  assert {
    condition = (
      !azurerm_storage_account.this.shared_access_key_enabled && !azurerm_storage_account.this.public_network_access_enabled && azurerm_storage_account.this.blob_properties[0].versioning_enabled &&
      azurerm_storage_account.this.network_rules[0].default_action == "Deny"
    )
    error_message = "A state knows every name and may hold secrets."
  }
  assert {
    condition     = alltrue([for assignment in azurerm_role_assignment.this : assignment.scope == "/containers/tfstate"])
    error_message = "Rights at the container."
  }
}

run "who_plans_writes_no_state" {
  command = plan
  variables {
    readers = { plan = { object_id = "p2" } }
  }
  assert {
    condition = { for name, assignment in azurerm_role_assignment.this : name => assignment.role_definition_name } == {
      plan      = "Storage Blob Data Reader"
      apply     = "Storage Blob Data Contributor"
      operators = "Storage Blob Data Contributor"
    }
    error_message = jsonencode(azurerm_role_assignment.this)
  }
}

run "administrators_alone_write_the_state_of_the_bootstrap" {
  command = plan
  variables {
    readers = { plan = { object_id = "p2" } }
  }
  assert {
    condition = { for name, assignment in azurerm_role_assignment.bootstrap : name => [assignment.principal_id, assignment.role_definition_name] } == {
      plan           = ["p2", "Storage Blob Data Reader"]
      apply          = ["p1", "Storage Blob Data Reader"]
      operators      = ["g1", "Storage Blob Data Reader"]
      administrators = ["g2", "Storage Blob Data Contributor"]
    }
    error_message = jsonencode(azurerm_role_assignment.bootstrap)
  }
  assert {
    condition     = alltrue([for assignment in azurerm_role_assignment.bootstrap : assignment.scope == "/containers/bootstrap"])
    error_message = "Rights at the container."
  }
}

run "somebody_has_to_apply_the_bootstrap" {
  command = plan
  variables {
    administrator_group_ids = {}
  }
  expect_failures = [var.administrator_group_ids]
}

run "a_name_stands_for_one_right" {
  command = plan
  variables {
    administrator_group_ids = { operators = "g2" }
  }
  expect_failures = [var.administrator_group_ids]
}

run "an_account_has_a_name_that_azure_takes" {
  command = plan
  variables {
    account_name = "Acme-State"
  }
  expect_failures = [var.account_name]
}

run "runners_outside_are_named_by_address" {
  command = plan
  variables {
    runner_ip_rules = ["203.0.113.7"]
  }
  assert {
    condition     = azurerm_storage_account.this.public_network_access_enabled && azurerm_storage_account.this.network_rules[0].default_action == "Deny" && azurerm_storage_account.this.network_rules[0].ip_rules == toset(["203.0.113.7"])
    error_message = "The rest of the world stays outside."
  }
}

run "everybody_is_no_runner" {
  command = plan
  variables {
    runner_ip_rules = ["0.0.0.0/0"]
  }
  expect_failures = [var.runner_ip_rules]
}
