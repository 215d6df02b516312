output "state_bucket" {
  description = "Bucket of the states of this environment."
  value       = module.state.bucket
}

output "github_role_arns" {
  description = "Roles of the pipelines."
  value       = module.github.role_arns
}

output "permissions_boundary_arn" {
  description = "Boundary of all roles that the other layers make: `common.permissions_boundary_arn` in environment.yaml."
  value       = module.limits.boundary_arns["workload"]
}
