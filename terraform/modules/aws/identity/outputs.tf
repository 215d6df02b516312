output "role_arns" {
  description = "Roles of the controllers."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}
