output "id" {
  description = "Id of the load balancer (`alb.networking.azure.io/alb-id`)."
  value       = azurerm_application_load_balancer.this.id
}

output "host" {
  description = "Name that a CNAME of the API points to."
  value       = azurerm_application_load_balancer_frontend.public.fully_qualified_domain_name
}

output "waf_policy_id" {
  description = "Id of the WAF policy, for a WebApplicationFirewallPolicy."
  value       = azurerm_web_application_firewall_policy.this.id
}

output "controller_identity_id" {
  description = "Resource id of the controller's identity, for its federated credential."
  value       = azurerm_user_assigned_identity.controller.id
}

output "controller_client_id" {
  description = "Client id of the controller's identity, for its chart."
  value       = azurerm_user_assigned_identity.controller.client_id
}

output "gateway_class" {
  description = "GatewayClass that the controller serves."
  value       = "azure-alb-external"
}
