# Who the controller in the cluster is: it configures this gateway and joins its subnet, and nothing else.

resource "azurerm_user_assigned_identity" "controller" {
  name                = "${var.name}-controller"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

resource "azurerm_role_assignment" "configuration" {
  scope                = azurerm_application_load_balancer.this.id
  role_definition_name = "AppGw for Containers Configuration Manager"
  principal_id         = azurerm_user_assigned_identity.controller.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "join" {
  scope              = var.gateway_subnet_id
  role_definition_id = var.subnet_join_role_id
  principal_id       = azurerm_user_assigned_identity.controller.principal_id
  principal_type     = "ServicePrincipal"
}

# Microsoft's guide lets the controller look at the nodes' group, too. Only AKS makes that group, so a pipeline with rights in groups of the bootstrap
# cannot give this; who restores can, and elsewhere an owner does.
resource "azurerm_role_assignment" "nodes" {
  for_each = var.node_groups

  scope                = each.value
  role_definition_name = "Reader"
  principal_id         = azurerm_user_assigned_identity.controller.principal_id
  principal_type       = "ServicePrincipal"
}
