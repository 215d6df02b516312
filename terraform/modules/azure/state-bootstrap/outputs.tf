output "account_name" {
  description = "Storage account of the states, for backend configurations."
  value       = azurerm_storage_account.this.name
}

output "container_name" {
  description = "Container of the layers' states."
  value       = azurerm_storage_container.this.name
}

output "bootstrap_container_name" {
  description = "Container of the bootstrap's state."
  value       = azurerm_storage_container.bootstrap.name
}
