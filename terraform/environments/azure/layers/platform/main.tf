# What joins cluster and data: whom the cluster's tokens may become, what its nodes may pull, and the way in from the internet.
# When the cluster is made anew this layer is applied again: its issuer is another one then, and every credential below follows.

module "names" {
  source = "../../../../modules/pure/naming"

  organisation = var.common.organisation
  application  = var.common.application
  environment  = var.common.environment
  region       = var.common.region
}

module "tags" {
  source = "../../../../modules/pure/tags"

  application = var.common.application
  environment = var.common.environment
  owner       = var.common.owner
  cost_center = var.common.cost_center
  repository  = var.common.repository
  data_class  = var.common.data_class
}

module "federation" {
  source = "../../../../modules/azure/federation"

  issuer   = var.cluster.issuer
  bindings = merge(local.tenant_bindings, local.edge_binding)
}

locals {
  # A holder without a service account has no way in: nobody in the cluster may become it.
  tenant_bindings = merge([
    for name, tenant in var.tenants : {
      for holder, account in { writer = tenant.writer, reader = tenant.reader, expirer = tenant.expirer } : "${name}/${holder}" => {
        identity_id                   = var.archive.tenants[name].identities[holder].id
        namespace                     = coalesce(tenant.namespace, name)
        service_account               = account
      } if account != null
    }
  ]...)
  # What Microsoft's chart of the controller calls them.
  edge_binding = { edge = { identity_id = module.edge.controller_identity_id, namespace = "azure-alb-system", service_account = "alb-controller-sa" } }
}

module "edge" {
  source = "../../../../modules/azure/edge"

  name                       = "${module.names.base}-edge"
  resource_group_name        = data.azurerm_resource_group.this.name
  location                   = var.common.region
  gateway_subnet_id          = var.network.subnet_ids["gateway"]
  subnet_join_role_id        = var.subnet_join_role_id
  requests_per_address       = var.platform.requests_per_address
  waf_mode                   = var.platform.waf_mode
  log_analytics_workspace_id = var.network.workspace_id
  tags                       = module.tags.tags
}

resource "azurerm_role_assignment" "pull" {
  scope                = var.registry.id
  role_definition_name = "AcrPull"
  principal_id         = var.cluster.kubelet_principal_id
  principal_type       = "ServicePrincipal"
}

# Made by the bootstrap: who applies this layer has rights in this group, and none to make others.
data "azurerm_resource_group" "this" {
  name = "${module.names.base}-platform"
}
