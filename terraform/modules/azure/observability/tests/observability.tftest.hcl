mock_provider "azurerm" {}

variables {
  name                     = "acme-tidemark-dev-weu"
  resource_group_name      = "acme-tidemark-dev-weu-network"
  location                 = "westeurope"
  tags                     = { app = "tidemark" }
  subscription_resource_id = "/subscriptions/s"
  addresses                = ["a@example.com", "b@example.com"]
}

run "everybody_named_is_told" {
  assert {
    condition     = [for receiver in azurerm_monitor_action_group.this.email_receiver : receiver.email_address] == ["a@example.com", "b@example.com"]
    error_message = "An alarm that nobody hears is none."
  }
  assert {
    condition     = !azurerm_log_analytics_workspace.this.local_authentication_enabled
    error_message = "A key of the workspace writes lines of any kind."
  }
}

run "nobody_is_refused" {
  command = plan
  variables {
    addresses = []
  }
  expect_failures = [var.addresses]
}

run "budgets_tell_before_and_when" {
  variables {
    budgets = { data = { resource_group_id = "/subscriptions/s/resourceGroups/g", amount = 100 } }
  }
  assert {
    condition     = toset([for notification in azurerm_consumption_budget_resource_group.this["data"].notification : notification.threshold_type]) == toset(["Forecasted", "Actual"])
    error_message = "A forecast leaves time to act."
  }
}

run "what_azure_would_not_take_is_refused" {
  command = plan
  variables {
    short_name     = "tidemark-on-call"
    retention_days = 7
  }
  expect_failures = [var.short_name, var.retention_days]
}
