# Keys that never leave the vault: for the archive, for disks of the cluster, for Secrets in etcd, for images. Each service holds an identity that may
# wrap and unwrap with its one key, and nothing else of the vault.

resource "azurerm_key_vault" "this" {
  name                = var.vault_name
  resource_group_name = var.resource_group_name
  location            = var.location
  tenant_id           = var.tenant_id
  # Premium keeps keys in hardware.
  sku_name                   = var.hardware_keys ? "premium" : "standard"
  rbac_authorization_enabled = true
  # Whoever purges the archive's key has purged the archive.
  purge_protection_enabled      = true
  soft_delete_retention_days    = 90
  public_network_access_enabled = false
  enabled_for_disk_encryption   = false
  tags                          = var.tags

  network_acls {
    bypass         = "AzureServices"
    default_action = "Deny"
  }
}

# A vault whose keys outlive clusters is kept; that of a cluster made for a restore goes with it.
resource "azurerm_management_lock" "this" {
  count = var.keep ? 1 : 0

  name       = "keep"
  scope      = azurerm_key_vault.this.id
  lock_level = "CanNotDelete"
  notes      = "What its keys encrypted is lost without them."
}

# Making and rotating keys is what the pipeline may do here; it can neither purge them nor use them.
resource "azurerm_role_assignment" "administrator" {
  scope                = azurerm_key_vault.this.id
  role_definition_name = "Key Vault Crypto Officer"
  principal_id         = var.administrator_object_id
  description          = "Makes and rotates keys from the pipeline."
}

resource "azurerm_key_vault_key" "this" {
  for_each = var.keys

  name         = each.key
  key_vault_id = azurerm_key_vault.this.id
  key_type     = var.hardware_keys ? "RSA-HSM" : "RSA"
  key_size     = 3072
  key_opts     = each.value.use == "wrap" ? ["unwrapKey", "wrapKey"] : ["decrypt", "encrypt"]
  tags         = var.tags

  dynamic "rotation_policy" {
    # etcd's key is rotated together with the cluster, which writes all Secrets anew.
    for_each = each.value.rotate ? [1] : []
    content {
      automatic {
        time_after_creation = "P365D"
      }
    }
  }

  depends_on = [azurerm_role_assignment.administrator, azurerm_private_endpoint.this]
}

resource "azurerm_private_endpoint" "this" {
  name                = "${var.vault_name}-vault"
  resource_group_name = var.resource_group_name
  location            = var.location
  subnet_id           = var.endpoint_subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "vault"
    private_connection_resource_id = azurerm_key_vault.this.id
    subresource_names              = ["vault"]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "vault"
    private_dns_zone_ids = [var.private_dns_zone_id]
  }
}

resource "azurerm_monitor_diagnostic_setting" "this" {
  name                       = "audit"
  target_resource_id         = azurerm_key_vault.this.id
  log_analytics_workspace_id = var.log_analytics_workspace_id

  enabled_log {
    category_group = "audit"
  }
}
