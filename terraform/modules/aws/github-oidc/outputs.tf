output "role_arns" {
  description = "Roles by what they are for: plan, apply and, where there is something to push to, push."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}
