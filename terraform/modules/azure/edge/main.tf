# The one way in from the internet: Application Gateway for Containers with a WAF policy. The controller in the cluster turns Gateway API objects into
# listeners; it is referred to by the load balancer's id (`alb.networking.azure.io/alb-id`), and the WAF policy by a WebApplicationFirewallPolicy.

resource "azurerm_application_load_balancer" "this" {
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

resource "azurerm_application_load_balancer_frontend" "public" {
  name                         = "public"
  application_load_balancer_id = azurerm_application_load_balancer.this.id
  tags                         = var.tags
}

resource "azurerm_application_load_balancer_subnet_association" "this" {
  name                         = "gateway"
  application_load_balancer_id = azurerm_application_load_balancer.this.id
  subnet_id                    = var.gateway_subnet_id
  tags                         = var.tags
}

resource "azurerm_web_application_firewall_policy" "this" {
  name                = "${replace(var.name, "-", "")}waf"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags

  policy_settings {
    enabled                     = true
    mode                        = var.waf_mode
    request_body_check          = true
    request_body_enforcement    = true
    max_request_body_size_in_kb = 128
    file_upload_limit_in_mb     = 10
    log_scrubbing {
      enabled = true
      rule {
        match_variable          = "RequestHeaderNames"
        selector_match_operator = "Equals"
        selector                = "authorization"
        enabled                 = true
      }
    }
  }

  # For each address; each tenant has a limit of its own in the API as well.
  custom_rules {
    name                 = "RateLimitByAddress"
    priority             = 10
    rule_type            = "RateLimitRule"
    rate_limit_duration  = "OneMin"
    rate_limit_threshold = var.requests_per_address
    group_rate_limit_by  = "ClientAddr"
    action               = "Block"
    # Every request: no client has this address.
    match_conditions {
      operator           = "IPMatch"
      negation_condition = true
      match_values       = ["255.255.255.255/32"]
      match_variables {
        variable_name = "RemoteAddr"
      }
    }
  }

  managed_rules {
    managed_rule_set {
      type    = "Microsoft_DefaultRuleSet"
      version = "2.1"
    }
    managed_rule_set {
      type    = "Microsoft_BotManagerRuleSet"
      version = "1.1"
    }
  }
}

resource "azurerm_application_load_balancer_security_policy" "this" {
  name                               = "waf"
  application_load_balancer_id       = azurerm_application_load_balancer.this.id
  location                           = var.location
  web_application_firewall_policy_id = azurerm_web_application_firewall_policy.this.id
  tags                               = var.tags
}

resource "azurerm_monitor_diagnostic_setting" "this" {
  name                           = "access"
  target_resource_id             = azurerm_application_load_balancer.this.id
  log_analytics_workspace_id     = var.log_analytics_workspace_id
  log_analytics_destination_type = "Dedicated"

  enabled_log {
    category_group = "allLogs"
  }
}
