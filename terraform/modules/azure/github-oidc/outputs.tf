output "client_ids" {
  description = "Client ids by role, for `azure/login`."
  value       = { for role, identity in azurerm_user_assigned_identity.this : role => identity.client_id }
}

output "principal_ids" {
  description = "Object ids by role: `release` is who pushes images, `drill` who reads an archive every week."
  value       = { for role, identity in azurerm_user_assigned_identity.this : role => identity.principal_id }
}

output "subjects" {
  description = "Subjects that are trusted, by role."
  value       = { for role, credential in azurerm_federated_identity_credential.this : role => credential.subject }
}
