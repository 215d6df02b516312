mock_provider "azurerm" {}

variables {
  name                       = "acme-tidemark-dev-weu-edge"
  resource_group_name        = "acme-tidemark-dev-weu-platform"
  location                   = "westeurope"
  tags                       = { app = "tidemark" }
  gateway_subnet_id          = "/subscriptions/s/subnets/gateway"
  subnet_join_role_id        = "/subscriptions/s/roleDefinitions/join"
  log_analytics_workspace_id = "/subscriptions/s/workspaces/w"
}

run "one_address_is_limited" {
  assert {
    condition = (
      azurerm_web_application_firewall_policy.this.custom_rules[0].rule_type == "RateLimitRule" && azurerm_web_application_firewall_policy.this.custom_rules[0].rate_limit_threshold == 600 &&
      azurerm_web_application_firewall_policy.this.custom_rules[0].group_rate_limit_by == "ClientAddr" && azurerm_web_application_firewall_policy.this.custom_rules[0].action == "Block"
    )
    error_message = "Beyond the limit an address is refused."
  }
  assert {
    condition     = azurerm_web_application_firewall_policy.this.policy_settings[0].mode == "Prevention" && azurerm_application_load_balancer_security_policy.this.web_application_firewall_policy_id == azurerm_web_application_firewall_policy.this.id
    error_message = "The policy is in force at the gateway."
  }
}

run "the_limit_follows_its_variable" {
  variables {
    requests_per_address = 50
  }
  assert {
    condition     = azurerm_web_application_firewall_policy.this.custom_rules[0].rate_limit_threshold == 50
    error_message = "A change has its effect."
  }
}

run "the_controller_configures_this_gateway_and_joins_its_subnet" {
  assert {
    condition = (
      azurerm_role_assignment.configuration.scope == azurerm_application_load_balancer.this.id && azurerm_role_assignment.join.scope == "/subscriptions/s/subnets/gateway" &&
      azurerm_role_assignment.join.role_definition_id == "/subscriptions/s/roleDefinitions/join"
    )
    error_message = "Rights on single things."
  }
}

run "no_limit_is_refused" {
  command = plan
  variables {
    requests_per_address = 1000000
  }
  expect_failures = [var.requests_per_address]
}

run "a_web_firewall_that_is_off_is_refused" {
  command = plan
  variables {
    waf_mode = "Off"
  }
  expect_failures = [var.waf_mode]
}
