# What everything else stands on: the network, where logs go, and who is told.

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

module "cidr_plan" {
  source = "../../../../modules/pure/cidr-plan"

  cidr  = var.network.cidr
  taken = var.network.taken
}

module "network" {
  source = "../../../../modules/azure/network"

  name                = module.names.network
  resource_group_name = data.azurerm_resource_group.this.name
  location            = var.common.region
  cidr                = var.network.cidr
  # Azure's subnets span zones: one range of each tier does, the others are room to grow.
  subnets = {
    nodes      = module.cidr_plan.private[0]
    endpoints  = module.cidr_plan.intra[0]
    api_server = module.cidr_plan.intra[1]
    gateway    = module.cidr_plan.public[0]
  }
  operator_cidrs = var.network.operator_cidrs
  zones          = var.network.zones
  tags           = module.tags.tags
}

module "observability" {
  source = "../../../../modules/azure/observability"

  name                     = module.names.base
  resource_group_name      = data.azurerm_resource_group.this.name
  location                 = var.common.region
  subscription_resource_id = data.azurerm_subscription.this.id
  addresses                = var.network.alarm_addresses
  retention_days           = var.network.log_days
  tags                     = module.tags.tags
}

# Made by the bootstrap: who applies this layer has rights in this group, and none to make others.
data "azurerm_resource_group" "this" {
  name = "${module.names.base}-network"
}

data "azurerm_subscription" "this" {}
