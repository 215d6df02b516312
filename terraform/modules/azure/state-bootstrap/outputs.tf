output "account_name" {
  description = "Storage account of the states, for backend configurations."
  value       = azurerm_storage_account.this.name
}

output "container_name" {
  description = "Container of the states."
  value       = azurerm_storage_container.this.name
}
