# One workspace for what Azure logs, one group of people who are told, and a budget.

resource "azurerm_log_analytics_workspace" "this" {
  name                = "${var.name}-logs"
  resource_group_name = var.resource_group_name
  location            = var.location
  sku                 = "PerGB2018"
  retention_in_days   = var.retention_days
  daily_quota_gb      = var.daily_quota_gb
  # Keys of the workspace would let whoever has one write lines of any kind.
  local_authentication_enabled = false
  tags                         = var.tags
}

resource "azurerm_monitor_action_group" "this" {
  name                = "${var.name}-oncall"
  resource_group_name = var.resource_group_name
  short_name          = var.short_name
  tags                = var.tags

  dynamic "email_receiver" {
    for_each = var.addresses
    content {
      name                    = "email-${email_receiver.key}"
      email_address           = email_receiver.value
      use_common_alert_schema = true
    }
  }
}

resource "azurerm_monitor_activity_log_alert" "service_health" {
  name                = "${var.name}-service-health"
  resource_group_name = var.resource_group_name
  location            = "global"
  scopes              = [var.subscription_resource_id]
  description         = "Azure reports trouble with a service that backups or the cluster rest on."
  tags                = var.tags

  criteria {
    category = "ServiceHealth"
    service_health {
      events    = ["Incident", "Maintenance"]
      locations = [var.location, "Global"]
      services  = ["Azure Kubernetes Service (AKS)", "Storage", "Key Vault", "Container Registry"]
    }
  }
  action {
    action_group_id = azurerm_monitor_action_group.this.id
  }
}

resource "azurerm_consumption_budget_resource_group" "this" {
  for_each = var.budgets

  name              = "monthly"
  resource_group_id = each.value.resource_group_id
  amount            = each.value.amount
  time_grain        = "Monthly"

  time_period {
    start_date = var.budget_start
  }
  notification {
    operator       = "GreaterThan"
    threshold      = 80
    threshold_type = "Forecasted"
    contact_groups = [azurerm_monitor_action_group.this.id]
  }
  notification {
    operator       = "GreaterThan"
    threshold      = 100
    threshold_type = "Actual"
    contact_groups = [azurerm_monitor_action_group.this.id]
  }
}
