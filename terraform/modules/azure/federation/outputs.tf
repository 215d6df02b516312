output "subjects" {
  description = "Subjects that are trusted, by name of the binding."
  value       = { for key, credential in azurerm_federated_identity_credential.this : key => credential.subject }
}

output "issuer" {
  description = "Issuer that is trusted."
  value       = var.issuer
}

output "names" {
  description = "Names of the credentials, by name of the binding."
  value       = { for key, credential in azurerm_federated_identity_credential.this : key => credential.name }
}
