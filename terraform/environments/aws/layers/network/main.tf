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

module "network" {
  source = "../../../../modules/aws/network"

  name                     = module.names.network
  cidr                     = var.network.cidr
  zones                    = var.network.zones
  taken                    = var.network.taken
  nat                      = var.network.nat
  flow_log_days            = var.network.flow_log_days
  permissions_boundary_arn = var.common.permissions_boundary_arn
  tags                     = module.tags.tags
}
