output "host" {
  description = "Host of the registry."
  value       = "${data.aws_caller_identity.this.account_id}.dkr.ecr.${data.aws_region.this.region}.amazonaws.com"
}

output "repositories" {
  description = "Repositories, with their prefix."
  value       = sort([for repository in aws_ecr_repository.this : repository.name])
}

output "repository_arns" {
  description = "ARNs of the repositories, for the policy of a pipeline that pushes."
  value       = sort([for repository in aws_ecr_repository.this : repository.arn])
}
