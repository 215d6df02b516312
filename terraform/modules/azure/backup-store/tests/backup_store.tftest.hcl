# Planned only: what must never be destroyed could not be cleaned up after a test.
mock_provider "azurerm" {
  override_during = plan
}

override_resource {
  target          = azurerm_storage_container.archive
  override_during = plan
  values          = { id = "/containers/archive" }
}

override_resource {
  target          = azurerm_storage_container.control
  override_during = plan
  values          = { id = "/containers/control" }
}

variables {
  name                       = "acme-tidemark-prod-weu"
  account_name               = "acmetidemarkprodweuar"
  control_account_name       = "acmetidemarkprodweuct"
  resource_group_name        = "acme-tidemark-prod-weu-data"
  resource_group_id          = "/subscriptions/s/resourceGroups/acme-tidemark-prod-weu-data"
  location                   = "westeurope"
  tags                       = { app = "tidemark" }
  tenants                    = { shop = {}, bakery = { retention_days = 90 } }
  retention_days             = 35
  key_id                     = "https://v.vault.azure.net/keys/archive"
  key_resource_id            = "/subscriptions/s/vaults/v/keys/archive"
  endpoint_subnet_id         = "/subscriptions/s/subnets/endpoints"
  private_dns_zone_id        = "/subscriptions/s/zones/blob"
  log_analytics_workspace_id = "/subscriptions/s/workspaces/w"
  action_group_id            = "/subscriptions/s/actionGroups/oncall"
  roles = {
    writer-archive  = { id = "/roles/wa", holder = "writer", store = "archive" }
    writer-control  = { id = "/roles/wc", holder = "writer", store = "control", condition = "((C))" }
    expirer-archive = { id = "/roles/ea", holder = "expirer", store = "archive", condition = "((C))" }
  }
  principal_ids = {
    "shop/writer" = "p1", "shop/reader" = "p2", "shop/expirer" = "p3", "bakery/writer" = "p4", "bakery/reader" = "p5", "bakery/expirer" = "p6"
  }
}

run "no_key_opens_an_account_and_no_address_leads_to_it" {
  command = plan
  assert {
    condition = alltrue([
      for account in azurerm_storage_account.this :
      !account.shared_access_key_enabled && !account.public_network_access_enabled && !account.allow_nested_items_to_be_public && !account.local_user_enabled && !account.is_hns_enabled
    ])
    error_message = "Entra and the private endpoint, nothing else."
  }
  assert {
    condition     = alltrue([for account in azurerm_storage_account.this : account.infrastructure_encryption_enabled && account.customer_managed_key[0].key_vault_key_id == "https://v.vault.azure.net/keys/archive"])
    error_message = "Encrypted twice, with a key of one's own."
  }
}

run "the_archive_keeps_versions_and_control_does_not" {
  command = plan
  assert {
    condition     = azurerm_storage_account.this["archive"].blob_properties[0].versioning_enabled && azurerm_storage_account.this["archive"].blob_properties[0].change_feed_enabled
    error_message = "What is replaced stays."
  }
  assert {
    condition     = !azurerm_storage_account.this["control"].blob_properties[0].versioning_enabled && length(azurerm_storage_account.this["control"].blob_properties[0].delete_retention_policy) == 0
    error_message = "A heartbeat a second would be kept for good."
  }
}

run "every_tenant_has_containers_and_a_retention_that_is_not_locked" {
  command = plan
  assert {
    condition     = { for name, policy in azurerm_storage_container_immutability_policy.archive : name => policy.immutability_period_in_days } == { shop = 35, bakery = 90 }
    error_message = "A tenant's own retention, else the common one."
  }
  assert {
    condition     = alltrue([for policy in azurerm_storage_container_immutability_policy.archive : policy.locked == false && policy.protected_append_writes_all_enabled == false])
    error_message = "Locking is for good: a step of its own."
  }
  assert {
    condition     = output.object_lock["shop"].mode == "governance" && output.archive_urls["shop"] == "azblob://acmetidemarkprodweuar/shop/shop" && output.control_urls["bakery"] == "azblob://acmetidemarkprodweuct/bakery/bakery"
    error_message = jsonencode(output.object_lock)
  }
}

run "locking_names_its_change" {
  command = plan
  variables {
    locked_tenants = { bakery = "CHG-1234" }
  }
  assert {
    condition     = azurerm_storage_container_immutability_policy.archive["bakery"].locked && !azurerm_storage_container_immutability_policy.archive["shop"].locked && output.object_lock["bakery"].mode == "compliance"
    error_message = "One tenant at a time."
  }
}

run "locking_without_a_change_is_refused" {
  command = plan
  variables {
    locked_tenants = { shop = "yes" }
  }
  expect_failures = [var.locked_tenants]
}

run "locking_nobody_is_refused" {
  command = plan
  variables {
    locked_tenants = { shpo = "CHG-1" }
  }
  expect_failures = [var.locked_tenants]
}

run "roles_are_given_on_the_tenants_own_container" {
  command = plan
  assert {
    condition = (
      azurerm_role_assignment.tenant["shop/writer-archive"].principal_id == "p1" && azurerm_role_assignment.tenant["bakery/expirer-archive"].principal_id == "p6" &&
      azurerm_role_assignment.tenant["shop/writer-archive"].scope == "/containers/archive" && azurerm_role_assignment.tenant["shop/writer-control"].scope == "/containers/control"
    )
    error_message = "A tenant's identity has nothing at another's container."
  }
  assert {
    condition     = azurerm_role_assignment.tenant["shop/expirer-archive"].condition_version == "2.0" && azurerm_role_assignment.tenant["shop/expirer-archive"].condition == "((C))"
    error_message = "The condition of the role is that of each assignment."
  }
}

run "another_reader_has_the_readers_roles_at_one_tenant" {
  command = plan
  variables {
    roles = {
      writer-archive = { id = "/roles/wa", holder = "writer", store = "archive" }
      reader-archive = { id = "/roles/ra", holder = "reader", store = "archive", condition = "((A))" }
      reader-control = { id = "/roles/rc", holder = "reader", store = "control", condition = "((B))" }
    }
    more_readers = { drill = { tenant = "shop", principal_id = "p7" } }
  }
  assert {
    condition = { for name, one in azurerm_role_assignment.reader : name => [one.scope, one.role_definition_id, one.principal_id, one.condition, one.condition_version] } == {
      "drill/reader-archive" = ["/containers/archive", "/roles/ra", "p7", "((A))", "2.0"]
      "drill/reader-control" = ["/containers/control", "/roles/rc", "p7", "((B))", "2.0"]
    }
    error_message = jsonencode(azurerm_role_assignment.reader)
  }
}

run "a_reader_of_nobody_is_refused" {
  command = plan
  variables {
    more_readers = { drill = { tenant = "nobody", principal_id = "p7" } }
  }
  expect_failures = [var.more_readers]
}

run "a_role_without_a_condition_is_refused" {
  command = plan
  variables {
    roles = { expirer-archive = { id = "/roles/ea", holder = "expirer", store = "archive" } }
  }
  expect_failures = [var.roles]
}

run "objects_carry_their_own_retention_only_when_asked_for" {
  command = plan
  assert {
    condition     = length(azurerm_storage_account.this["archive"].immutability_policy) == 0
    error_message = "Azure gives this at creation only."
  }
}

run "and_then_no_object_is_held_by_default" {
  command = plan
  variables {
    object_retention_supported = true
  }
  assert {
    condition     = azurerm_storage_account.this["archive"].immutability_policy[0].state == "Disabled" && length(azurerm_storage_account.this["control"].immutability_policy) == 0
    error_message = "A default would hold every object of the account."
  }
}

run "copies_in_one_zone_are_refused" {
  command = plan
  variables {
    replication = "LRS"
  }
  expect_failures = [var.replication]
}

run "one_account_for_both_is_refused" {
  command = plan
  variables {
    control_account_name = "acmetidemarkprodweuar"
  }
  expect_failures = [var.control_account_name]
}

run "changes_of_protection_are_told" {
  command = plan
  assert {
    condition = toset([for alert in azurerm_monitor_activity_log_alert.protection : alert.criteria[0].operation_name]) == toset([
      "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies/delete", "Microsoft.Storage/storageAccounts/write",
      "Microsoft.Storage/storageAccounts/blobServices/containers/delete", "Microsoft.Authorization/locks/delete", "Microsoft.Authorization/roleAssignments/write"
    ])
    error_message = "Who takes retention, a lock or a container away is heard."
  }
}

run "what_azure_would_not_take_is_refused" {
  command = plan
  variables {
    account_name     = "acme-archive"
    retention_days   = 0
    soft_delete_days = 3
    cool_after_days  = 7
    tenants          = { "Shop_1" = {} }
  }
  expect_failures = [var.account_name, var.retention_days, var.soft_delete_days, var.cool_after_days, var.tenants]
}

run "a_tenant_is_retained_for_a_day_at_least" {
  command = plan
  variables {
    tenants = { shop = { retention_days = 0 } }
  }
  expect_failures = [var.tenants]
}
