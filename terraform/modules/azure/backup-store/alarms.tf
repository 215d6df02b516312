# What happens to the archive is logged and told: someone who reads it all, someone who is refused, someone who changes what protects it.

resource "azurerm_monitor_diagnostic_setting" "this" {
  for_each = local.accounts

  name                           = "audit"
  target_resource_id             = "${azurerm_storage_account.this[each.key].id}/blobServices/default"
  log_analytics_workspace_id     = var.log_analytics_workspace_id
  log_analytics_destination_type = "Dedicated"

  # Reads of the control account are heartbeats; those of the archive are restores, or a theft.
  dynamic "enabled_log" {
    for_each = each.key == "archive" ? ["StorageRead", "StorageWrite", "StorageDelete"] : ["StorageDelete"]
    content {
      category = enabled_log.value
    }
  }
}

resource "azurerm_monitor_activity_log_alert" "protection" {
  for_each = {
    retention   = "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies/delete"
    account     = "Microsoft.Storage/storageAccounts/write"
    container   = "Microsoft.Storage/storageAccounts/blobServices/containers/delete"
    lock        = "Microsoft.Authorization/locks/delete"
    permissions = "Microsoft.Authorization/roleAssignments/write"
  }

  name                = "${var.name}-archive-${each.key}"
  resource_group_name = var.resource_group_name
  location            = "global"
  scopes              = [var.resource_group_id]
  description         = "Somebody changed what protects the backups: ${each.value}."
  tags                = var.tags

  criteria {
    category       = "Administrative"
    operation_name = each.value
    status         = "Succeeded"
  }
  action {
    action_group_id = var.action_group_id
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "refused" {
  name                 = "${var.name}-archive-refused"
  resource_group_name  = var.resource_group_name
  location             = var.location
  scopes               = [var.log_analytics_workspace_id]
  description          = "Requests at the archive were refused for want of a permission or because of retention: a wrong binding, or someone who tries."
  severity             = 2
  evaluation_frequency = "PT15M"
  window_duration      = "PT15M"
  # The table is made when the first line arrives.
  skip_query_validation = true
  tags                  = var.tags

  criteria {
    query                   = <<-QUERY
      StorageBlobLogs
      | where AccountName == "${var.account_name}"
      | where StatusText in ("AuthorizationFailure", "AuthorizationPermissionMismatch", "BlobImmutableDueToPolicy")
    QUERY
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = 0
  }
  action {
    action_groups = [var.action_group_id]
  }
}

resource "azurerm_monitor_metric_alert" "availability" {
  name                = "${var.name}-archive-availability"
  resource_group_name = var.resource_group_name
  scopes              = [azurerm_storage_account.this["archive"].id]
  description         = "The archive answers fewer than 99 of 100 requests."
  severity            = 1
  frequency           = "PT5M"
  window_size         = "PT15M"
  tags                = var.tags

  criteria {
    metric_namespace = "Microsoft.Storage/storageAccounts"
    metric_name      = "Availability"
    aggregation      = "Average"
    operator         = "LessThan"
    threshold        = 99
  }
  action {
    action_group_id = var.action_group_id
  }
}
