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

module "archive" {
  source = "../../../../modules/aws/backup-store"

  bucket                   = module.names.archive
  lock                     = var.data.lock
  compliance_is_final      = var.data.compliance_is_final
  noncurrent_days          = var.data.noncurrent_days
  cold_after_days          = var.data.cold_after_days
  replica                  = var.data.replica
  break_glass_arns         = var.data.break_glass_arns
  permissions_boundary_arn = var.common.permissions_boundary_arn
  tags                     = module.tags.tags
}

module "registry" {
  source = "../../../../modules/aws/registry"

  prefix         = module.names.repository_prefix
  pull_accounts  = var.data.image_accounts
  replica_region = try(var.data.replica.region, "")
  tags           = module.tags.tags
}
