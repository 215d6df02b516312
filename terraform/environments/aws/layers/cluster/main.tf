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

module "cluster" {
  source = "../../../../modules/aws/eks"

  name                     = module.names.cluster
  kubernetes_version       = var.cluster.kubernetes_version
  control_plane_subnet_ids = values(var.network.intra_subnet_ids)
  node_subnet_ids          = var.network.private_subnet_ids
  api_client_cidrs         = var.cluster.api_client_cidrs
  access                   = var.cluster.access
  system_nodes             = var.cluster.system_nodes
  data_nodes               = var.cluster.data_nodes
  addon_versions           = var.cluster.addon_versions
  deletion_protection      = var.cluster.deletion_protection
  log_days                 = var.cluster.log_days
  permissions_boundary_arn = var.common.permissions_boundary_arn
  tags                     = module.tags.tags
}
