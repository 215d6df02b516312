output "state_account" {
  description = "Storage account of the states of this environment."
  value       = module.state.account_name
}

output "github_client_ids" {
  description = "Client ids of the pipelines by role, for the variables of the GitHub environment. An id is no secret."
  value       = module.github.client_ids
}

output "release_principal_id" {
  description = "Object id of the identity that pushes images; null where none does."
  value       = lookup(module.github.principal_ids, "release", null)
}

output "roles" {
  description = "Custom roles: at the archive by name, and the one that joins a subnet."
  value       = { archive = module.roles.archive, subnet_join_id = module.roles.subnet_join_id }
}
