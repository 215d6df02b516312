# Custom roles, made once for an environment by an owner of its subscription: a pipeline that could define roles could define one that may do anything.

module "rules" {
  source = "../archive-rules"
}

resource "azurerm_role_definition" "archive" {
  for_each = module.rules.roles

  name              = "${var.name}-${each.key}"
  description       = "Tidemark: the ${each.value.holder} at the ${each.value.store} container of a tenant."
  scope             = var.subscription_resource_id
  assignable_scopes = [var.subscription_resource_id]

  permissions {
    actions      = each.value.actions
    data_actions = each.value.data_actions
  }
}

# For the gateway's controller: the built-in role that could do this can change the whole network.
resource "azurerm_role_definition" "subnet_join" {
  name              = "${var.name}-subnet-join"
  description       = "Tidemark: joins the gateway to its subnet."
  scope             = var.subscription_resource_id
  assignable_scopes = [var.subscription_resource_id]

  permissions {
    actions = ["Microsoft.Network/virtualNetworks/subnets/join/action", "Microsoft.Network/virtualNetworks/subnets/read"]
  }
}

# Whoever applies sets locks, and an owner lifts them: Contributor may do neither.
resource "azurerm_role_definition" "lock" {
  name              = "${var.name}-lock"
  description       = "Tidemark: sets locks and lifts none."
  scope             = var.subscription_resource_id
  assignable_scopes = [var.subscription_resource_id]

  permissions {
    actions = ["Microsoft.Authorization/locks/read", "Microsoft.Authorization/locks/write"]
  }
}
