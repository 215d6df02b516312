output "role_arns" {
  description = "ARNs of the roles, by tenant and role."
  value       = { for name in keys(var.tenants) : name => { for key, one in local.roles : one.role => aws_iam_role.this[key].arn if one.tenant == name } }
}
