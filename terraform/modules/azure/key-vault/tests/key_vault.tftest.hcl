mock_provider "azurerm" {}

variables {
  vault_name                 = "acmetidemarkdevweu-kv"
  resource_group_name        = "acme-tidemark-dev-weu-data"
  location                   = "westeurope"
  tags                       = { app = "tidemark" }
  tenant_id                  = "00000000-0000-4000-8000-00000000face"
  administrator_object_id    = "00000000-0000-4000-8000-000000000b1e"
  keys                       = { archive = {}, etcd = { use = "encrypt", rotate = false } }
  endpoint_subnet_id         = "/subscriptions/s/subnets/endpoints"
  private_dns_zone_id        = "/subscriptions/s/zones/vault"
  log_analytics_workspace_id = "/subscriptions/s/workspaces/w"
}

run "the_vault_is_private_and_cannot_be_purged" {
  assert {
    condition     = azurerm_key_vault.this.purge_protection_enabled && !azurerm_key_vault.this.public_network_access_enabled && azurerm_key_vault.this.rbac_authorization_enabled
    error_message = "Who purges the key has purged the archive."
  }
  assert {
    condition     = azurerm_key_vault.this.network_acls[0].default_action == "Deny"
    error_message = "Nothing but the endpoint leads in."
  }
}

run "a_key_does_what_it_is_for_and_no_more" {
  assert {
    condition     = toset(azurerm_key_vault_key.this["archive"].key_opts) == toset(["wrapKey", "unwrapKey"]) && toset(azurerm_key_vault_key.this["etcd"].key_opts) == toset(["encrypt", "decrypt"])
    error_message = "A key that signs or encrypts data is another key."
  }
  assert {
    condition     = length(azurerm_key_vault_key.this["archive"].rotation_policy) == 1 && length(azurerm_key_vault_key.this["etcd"].rotation_policy) == 0
    error_message = "etcd's key is rotated with the cluster, the others by themselves."
  }
}

run "the_pipeline_makes_keys_and_does_not_use_them" {
  assert {
    condition     = azurerm_role_assignment.administrator.role_definition_name == "Key Vault Crypto Officer"
    error_message = azurerm_role_assignment.administrator.role_definition_name
  }
}

run "a_vault_that_is_kept_has_a_lock" {
  assert {
    condition     = length(azurerm_management_lock.this) == 1
    error_message = "Keys of the archive are not deleted with a group."
  }
}

run "a_vault_of_a_drill_has_none" {
  variables {
    keep = false
  }
  assert {
    condition     = length(azurerm_management_lock.this) == 0
    error_message = "A drill removes what it made."
  }
}

run "another_use_of_a_key_is_refused" {
  command = plan
  variables {
    keys = { archive = { use = "sign" } }
  }
  expect_failures = [var.keys]
}

run "a_name_that_azure_would_not_take_is_refused" {
  command = plan
  variables {
    vault_name = "1-vault"
  }
  expect_failures = [var.vault_name]
}
