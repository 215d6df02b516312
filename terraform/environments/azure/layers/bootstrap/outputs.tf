output "state_account" {
  description = "Storage account of the states of this environment."
  value       = module.state.account_name
}

output "state_containers" {
  description = "Containers of the layers' states and of this one."
  value       = { layers = module.state.container_name, bootstrap = module.state.bootstrap_container_name }
}

output "github_client_ids" {
  description = "Client ids of the pipelines by role, for the variables of the GitHub environment. An id is no secret."
  value       = module.github.client_ids
}

output "release_principal_id" {
  description = "Object id of the identity that pushes images; null where none does."
  value       = lookup(module.github.principal_ids, "release", null)
}

output "drill" {
  description = "Object id of the identity of the weekly drill, and the tenant whose archive it reads; null where there is no drill."
  value       = var.bootstrap.drill_tenant == null ? null : { tenant = var.bootstrap.drill_tenant, principal_id = module.github.principal_ids["drill"] }
}

output "roles" {
  description = "Custom roles: at the archive by name, and the one that joins a subnet."
  value       = { archive = module.roles.archive, subnet_join_id = module.roles.subnet_join_id }
}
