# Planned only: what must never be destroyed could not be cleaned up after a test.
mock_provider "azurerm" {
  override_during = plan
}

variables {
  name                       = "acme-tidemark-dev-weu"
  registry_name              = "acmetidemarkdevweuacr"
  resource_group_name        = "acme-tidemark-dev-weu-data"
  location                   = "westeurope"
  tags                       = { app = "tidemark" }
  key_id                     = "https://v.vault.azure.net/keys/registry"
  key_resource_id            = "/subscriptions/s/vaults/v/keys/registry"
  endpoint_subnet_id         = "/subscriptions/s/subnets/endpoints"
  private_dns_zone_id        = "/subscriptions/s/zones/registry"
  log_analytics_workspace_id = "/subscriptions/s/workspaces/w"
  push_principal_ids         = { release = "00000000-0000-4000-8000-0000000000f1" }
  replica_regions            = ["northeurope"]
}

run "there_is_no_password_and_no_public_address" {
  command = plan
  assert {
    condition     = !azurerm_container_registry.this.admin_enabled && !azurerm_container_registry.this.anonymous_pull_enabled && !azurerm_container_registry.this.public_network_access_enabled && !azurerm_container_registry.this.export_policy_enabled
    error_message = "Images come and go by the endpoint, for who has signed in."
  }
}

run "images_are_encrypted_kept_and_in_two_regions" {
  command = plan
  assert {
    condition     = azurerm_container_registry.this.encryption[0].key_vault_key_id == "https://v.vault.azure.net/keys/registry" && azurerm_container_registry.this.retention_policy_in_days == 30
    error_message = "A key of one's own, and time to roll back."
  }
  assert {
    condition     = azurerm_container_registry.this.georeplications[0].location == "northeurope"
    error_message = "A restore after the loss of a region pulls from its copy."
  }
}

run "the_release_pushes_and_nobody_else" {
  command = plan
  assert {
    condition     = [for assignment in azurerm_role_assignment.push : assignment.role_definition_name] == ["AcrPush"]
    error_message = "One role for one principal."
  }
}

run "a_name_with_hyphens_is_refused" {
  command = plan
  variables {
    registry_name = "acme-tidemark"
  }
  expect_failures = [var.registry_name]
}

run "untagged_manifests_stay_for_a_rollback" {
  command = plan
  variables {
    untagged_retention_days = 1
  }
  expect_failures = [var.untagged_retention_days]
}
