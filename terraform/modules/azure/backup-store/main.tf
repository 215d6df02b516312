# Where backups lie: two storage accounts.
#
#   archive   snapshots and oplog. Versioned, with a change feed, soft deletion and a time-based retention on each container, so that what was
#             written can be neither replaced nor deleted before its time, whoever asks.
#   control   leases, marks and pins (`--control`). They are replaced every second; under retention, or with versions, each heartbeat would be kept.
#
# In both each tenant has a container of its own, and nobody has a key: shared keys are off, so a signature cannot be made either.

locals {
  accounts = {
    archive = { name = var.account_name, versioned = true }
    control = { name = var.control_account_name, versioned = false }
  }
}

resource "azurerm_storage_account" "this" {
  for_each = local.accounts

  name                     = each.value.name
  resource_group_name      = var.resource_group_name
  location                 = var.location
  account_kind             = "StorageV2"
  account_tier             = "Standard"
  account_replication_type = var.replication
  access_tier              = "Hot"
  tags                     = var.tags

  shared_access_key_enabled       = false
  default_to_oauth_authentication = true
  local_user_enabled              = false
  allow_nested_items_to_be_public = false
  public_network_access_enabled   = false
  https_traffic_only_enabled      = true
  min_tls_version                 = "TLS1_2"
  # Copies stay in this Entra tenant.
  cross_tenant_replication_enabled = false
  allowed_copy_scope               = "AAD"
  # A hierarchical namespace lists in another order, which the store proof refuses.
  is_hns_enabled                    = false
  sftp_enabled                      = false
  nfsv3_enabled                     = false
  infrastructure_encryption_enabled = true

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.encryption.id]
  }
  customer_managed_key {
    key_vault_key_id          = var.key_id
    user_assigned_identity_id = azurerm_user_assigned_identity.encryption.id
  }

  network_rules {
    default_action = "Deny"
    bypass         = ["None"]
  }

  blob_properties {
    versioning_enabled            = each.value.versioned
    change_feed_enabled           = each.value.versioned
    change_feed_retention_in_days = each.value.versioned ? var.change_feed_days : null
    dynamic "delete_retention_policy" {
      for_each = each.value.versioned ? [1] : []
      content {
        days                     = var.soft_delete_days
        permanent_delete_enabled = false
      }
    }
    container_delete_retention_policy {
      days = var.soft_delete_days
    }
  }

  # Retention that the sidecar sets on each object (`retention_days` in the URL) needs this support, and Azure gives it at creation only.
  # Its own policy is disabled: as a default it would hold every object of the account.
  dynamic "immutability_policy" {
    for_each = each.value.versioned && var.object_retention_supported ? [1] : []
    content {
      state                         = "Disabled"
      period_since_creation_in_days = var.retention_days
      allow_protected_append_writes = false
    }
  }

  lifecycle {
    # Without the archive there is nothing to restore. Destroying it takes an edit that a reviewer sees.
    prevent_destroy = true
  }

  depends_on = [azurerm_role_assignment.encryption]
}

resource "azurerm_management_lock" "this" {
  for_each = local.accounts

  name       = "keep"
  scope      = azurerm_storage_account.this[each.key].id
  lock_level = "CanNotDelete"
  notes      = "Holds backups."
}

resource "azurerm_storage_container" "archive" {
  for_each = var.tenants

  name                  = each.key
  storage_account_id    = azurerm_storage_account.this["archive"].id
  container_access_type = "private"
  metadata              = { tenant = each.key }

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_storage_container" "control" {
  for_each = var.tenants

  name                  = each.key
  storage_account_id    = azurerm_storage_account.this["control"].id
  container_access_type = "private"
  metadata              = { tenant = each.key }
}

# Unlocked, the retention can be shortened or taken away by who manages the account: that is for trying out. Locked, it can only grow, for good, and
# neither the container nor the account can be deleted while it holds an object. So locking is a change of its own with the number of its approval.
resource "azurerm_storage_container_immutability_policy" "archive" {
  for_each = var.tenants

  storage_container_resource_manager_id = azurerm_storage_container.archive[each.key].id
  immutability_period_in_days           = coalesce(each.value.retention_days, var.retention_days)
  protected_append_writes_enabled       = false
  protected_append_writes_all_enabled   = false
  locked                                = contains(keys(var.locked_tenants), each.key)
}

# What retention has let go and `dr-cli expire` has deleted goes for good some time later. Nothing that is current is ever deleted by age:
# what a restore needs is a question of coverage, which only `expire` can answer.
resource "azurerm_storage_management_policy" "archive" {
  storage_account_id = azurerm_storage_account.this["archive"].id

  rule {
    name    = "old-versions"
    enabled = true
    filters {
      blob_types = ["blockBlob"]
    }
    actions {
      version {
        delete_after_days_since_creation = var.retention_days + var.soft_delete_days
      }
      snapshot {
        delete_after_days_since_creation_greater_than = var.retention_days + var.soft_delete_days
      }
      dynamic "base_blob" {
        for_each = var.cool_after_days == null ? [] : [1]
        content {
          tier_to_cool_after_days_since_creation_greater_than = var.cool_after_days
        }
      }
    }
  }
}
