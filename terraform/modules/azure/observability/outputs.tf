output "workspace_id" {
  description = "Resource id of the workspace."
  value       = azurerm_log_analytics_workspace.this.id
}

output "action_group_id" {
  description = "Id of the group that is told."
  value       = azurerm_monitor_action_group.this.id
}
