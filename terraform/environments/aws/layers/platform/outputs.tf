output "archive_role_arns" {
  description = "Roles in the archive by tenant and role."
  value       = module.access.role_arns
}

output "controller_role_arns" {
  description = "Roles of controllers in the cluster."
  value       = module.controllers.role_arns
}

output "web_acl_arn" {
  description = "Web ACL, for alb.ingress.kubernetes.io/wafv2-acl-arn."
  value       = module.edge.arn
}

output "alarm_topic_arn" {
  description = "Topic of the alarms."
  value       = module.alarms.topic_arn
}
