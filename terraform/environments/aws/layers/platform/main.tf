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

module "access" {
  source = "../../../../modules/aws/backup-access"

  cluster_name             = var.cluster.name
  cluster_arn              = var.cluster.arn
  bucket                   = var.archive.bucket
  kms_key_arn              = var.archive.kms_key_arn
  longest_retention_days   = var.archive.lock.days
  tenants                  = var.tenants
  permissions_boundary_arn = var.common.permissions_boundary_arn
  tags                     = module.tags.tags
}

module "controllers" {
  source = "../../../../modules/aws/identity"

  cluster_name             = var.cluster.name
  cluster_arn              = var.cluster.arn
  vpc_id                   = var.network.vpc_id
  permissions_boundary_arn = var.common.permissions_boundary_arn
  tags                     = module.tags.tags
}

module "edge" {
  source = "../../../../modules/aws/edge-waf"

  name                 = "${module.names.base}-edge"
  requests_per_address = var.platform.requests_per_address
  tags                 = module.tags.tags
}

module "alarms" {
  source = "../../../../modules/aws/observability"

  name        = module.names.base
  bucket      = var.archive.bucket
  kms_key_arn = var.archive.kms_key_arn
  replica     = var.archive.replica
  addresses   = var.platform.alarm_addresses
  tags        = module.tags.tags
}
