output "id" {
  description = "Id of the vault."
  value       = azurerm_key_vault.this.id
}

output "uri" {
  description = "Address of the vault."
  value       = azurerm_key_vault.this.vault_uri
}

output "key_ids" {
  description = "Ids of the keys with their versions, for who is bound to one."
  value       = { for name, key in azurerm_key_vault_key.this : name => key.id }
}

output "versionless_key_ids" {
  description = "Ids of the keys without versions, for who follows rotation by itself."
  value       = { for name, key in azurerm_key_vault_key.this : name => key.versionless_id }
}

output "key_resource_ids" {
  description = "Resource ids of the keys without versions: scopes of role assignments."
  value       = { for name, key in azurerm_key_vault_key.this : name => key.resource_versionless_id }
}
