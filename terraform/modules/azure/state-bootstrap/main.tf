# Where the states lie: those of the layers, and the bootstrap's own, which is moved here from a local one (README.md says how), in a container of its own. Who could write
# that one could have an administrator apply anything, and rights in a storage account end at containers, not at names within them.
# A state knows every name and id and can hold secrets: it is versioned, encrypted, and open to the pipelines and the operators only.

resource "azurerm_storage_account" "this" {
  name                     = var.account_name
  resource_group_name      = var.resource_group_name
  location                 = var.location
  account_kind             = "StorageV2"
  account_tier             = "Standard"
  account_replication_type = "GZRS"
  tags                     = var.tags

  shared_access_key_enabled         = false
  default_to_oauth_authentication   = true
  local_user_enabled                = false
  allow_nested_items_to_be_public   = false
  public_network_access_enabled     = length(var.runner_ip_rules) > 0
  https_traffic_only_enabled        = true
  min_tls_version                   = "TLS1_2"
  cross_tenant_replication_enabled  = false
  allowed_copy_scope                = "AAD"
  infrastructure_encryption_enabled = true

  network_rules {
    default_action = "Deny"
    bypass         = ["None"]
    ip_rules       = var.runner_ip_rules
  }

  blob_properties {
    versioning_enabled  = true
    change_feed_enabled = true
    delete_retention_policy {
      days = 90
    }
    container_delete_retention_policy {
      days = 90
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_storage_container" "this" {
  name                  = "tfstate"
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_storage_container" "bootstrap" {
  name                  = "bootstrap"
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_management_lock" "this" {
  name       = "keep"
  scope      = azurerm_storage_account.this.id
  lock_level = "CanNotDelete"
  notes      = "Holds Terraform's states."
}

# In the container of the layers only. A lock is a lease on the blob and counts as writing, so who reads plans with `-lock=false`: code of a pull request must not be able to write a state.
resource "azurerm_role_assignment" "this" {
  for_each = merge(
    { for name, who in var.readers : name => merge(who, { role = "Storage Blob Data Reader" }) },
    { for name, who in var.writers : name => merge(who, { role = "Storage Blob Data Contributor" }) },
  )

  scope                = azurerm_storage_container.this.id
  role_definition_name = each.value.role
  principal_id         = each.value.object_id
  principal_type       = each.value.type
}

# Layers take outputs of the bootstrap, so who plans or applies them reads its state; administrators alone write it.
resource "azurerm_role_assignment" "bootstrap" {
  for_each = merge(
    { for name, who in merge(var.readers, var.writers) : name => merge(who, { role = "Storage Blob Data Reader" }) },
    { for name, id in var.administrator_group_ids : name => { object_id = id, type = "Group", role = "Storage Blob Data Contributor" } },
  )

  scope                = azurerm_storage_container.bootstrap.id
  role_definition_name = each.value.role
  principal_id         = each.value.object_id
  principal_type       = each.value.type
}
