output "ids" {
  description = "Resource ids of the identities, by TENANT/writer, TENANT/reader and TENANT/expirer."
  value       = { for key, identity in azurerm_user_assigned_identity.this : key => identity.id }
}

output "client_ids" {
  description = "Client ids, which annotate service accounts (`azure.workload.identity/client-id`)."
  value       = { for key, identity in azurerm_user_assigned_identity.this : key => identity.client_id }
}

output "principal_ids" {
  description = "Object ids, which role assignments name."
  value       = { for key, identity in azurerm_user_assigned_identity.this : key => identity.principal_id }
}
