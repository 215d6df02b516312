output "state_bucket" {
  description = "Bucket of the states of this environment."
  value       = module.state.bucket
}

output "github_role_arns" {
  description = "Roles of the pipelines."
  value       = module.github.role_arns
}
