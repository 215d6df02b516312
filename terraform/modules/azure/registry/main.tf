# Images by digest, private, signed in for with Entra only.

resource "azurerm_container_registry" "this" {
  name                = var.registry_name
  resource_group_name = var.resource_group_name
  location            = var.location
  # Private endpoints, keys of one's own, retention and replication are premium.
  sku                                          = "Premium"
  admin_enabled                                = false
  anonymous_pull_enabled                       = false
  azuread_authentication_as_arm_policy_enabled = true
  public_network_access_enabled                = false
  network_rule_bypass_option                   = "AzureServices"
  # Nobody carries images out into another registry.
  export_policy_enabled     = false
  data_endpoint_enabled     = true
  zone_redundancy_enabled   = true
  quarantine_policy_enabled = var.quarantine_enabled
  # Manifests without a tag: what a moved tag left behind. What runs is deployed by digest and keeps its tag.
  retention_policy_in_days = var.untagged_retention_days
  tags                     = var.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.encryption.id]
  }
  encryption {
    key_vault_key_id   = var.key_id
    identity_client_id = azurerm_user_assigned_identity.encryption.client_id
  }

  dynamic "georeplications" {
    for_each = var.replica_regions
    content {
      location                        = georeplications.value
      global_endpoint_routing_enabled = true
      zone_redundancy_enabled         = true
      tags                            = var.tags
    }
  }

  # A cluster made anew pulls its images from here. No management lock: it would also keep the rights of clusters that are gone, which are deleted with them.
  lifecycle {
    prevent_destroy = true
  }

  depends_on = [azurerm_role_assignment.encryption]
}

resource "azurerm_user_assigned_identity" "encryption" {
  name                = "${var.name}-registry"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

resource "azurerm_role_assignment" "encryption" {
  scope                = var.key_resource_id
  role_definition_name = "Key Vault Crypto Service Encryption User"
  principal_id         = azurerm_user_assigned_identity.encryption.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "push" {
  for_each = var.push_principal_ids

  scope                = azurerm_container_registry.this.id
  role_definition_name = "AcrPush"
  principal_id         = each.value
  principal_type       = "ServicePrincipal"
}

resource "azurerm_private_endpoint" "this" {
  name                = "${var.name}-registry"
  resource_group_name = var.resource_group_name
  location            = var.location
  subnet_id           = var.endpoint_subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "registry"
    private_connection_resource_id = azurerm_container_registry.this.id
    subresource_names              = ["registry"]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "registry"
    private_dns_zone_ids = [var.private_dns_zone_id]
  }
}

resource "azurerm_monitor_diagnostic_setting" "this" {
  name                       = "audit"
  target_resource_id         = azurerm_container_registry.this.id
  log_analytics_workspace_id = var.log_analytics_workspace_id

  enabled_log {
    category = "ContainerRegistryLoginEvents"
  }
  enabled_log {
    category = "ContainerRegistryRepositoryEvents"
  }
}
