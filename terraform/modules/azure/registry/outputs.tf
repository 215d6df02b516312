output "id" {
  description = "Id of the registry."
  value       = azurerm_container_registry.this.id
}

output "host" {
  description = "Name by which images are pulled."
  value       = azurerm_container_registry.this.login_server
}
