output "boundary_arns" {
  description = "Boundaries by whom they bind: plan, apply, and workload for every role that the modules make."
  value       = { for name, policy in aws_iam_policy.boundary : name => policy.arn }
  precondition {
    # All that are made here, boundaries and grants.
    condition     = alltrue([for document in local.documents : length(document) <= 6144])
    error_message = "IAM takes policies of up to 6144 characters."
  }
}

output "apply_policy_arns" {
  description = "What the role that applies is given, by a name."
  value       = { for name, policy in aws_iam_policy.grant : name => policy.arn }
}
