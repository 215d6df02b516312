output "account_id" {
  description = "Id of the archive's storage account."
  value       = azurerm_storage_account.this["archive"].id
}

output "control_account_id" {
  description = "Id of the control storage account."
  value       = azurerm_storage_account.this["control"].id
}

output "container_ids" {
  description = "Ids of the archive's containers, by tenant."
  value       = { for tenant, container in azurerm_storage_container.archive : tenant => container.id }
}

output "archive_urls" {
  description = "URLs of the archives, by tenant, as sidecar and dr-cli take them."
  value       = { for tenant in keys(var.tenants) : tenant => "azblob://${var.account_name}/${tenant}/${tenant}" }
}

output "control_urls" {
  description = "URLs for `--control` (`archive.controlUrl` of the chart), by tenant."
  value       = { for tenant in keys(var.tenants) : tenant => "azblob://${var.control_account_name}/${tenant}/${tenant}" }
}

output "object_lock" {
  description = "Retention of each tenant's container as the restore contract has it: governance is unlocked, compliance is locked."
  value = {
    for tenant, policy in azurerm_storage_container_immutability_policy.archive : tenant => {
      mode = policy.locked ? "compliance" : "governance"
      days = policy.immutability_period_in_days
    }
  }
}
