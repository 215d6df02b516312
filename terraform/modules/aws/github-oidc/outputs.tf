output "role_arns" {
  description = "Roles by what they are for: plan, apply; push and drill where they are wanted."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}
