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

data "aws_partition" "this" {}
data "aws_caller_identity" "this" {}

module "state" {
  source = "../../../../modules/aws/state-bootstrap"

  bucket = "${module.names.base}-state"
  tags   = module.tags.tags
}

locals {
  archive_bucket_arns = [for suffix in ["", "-replica"] : "arn:${data.aws_partition.this.partition}:s3:::${module.names.archive}${suffix}"]
}

module "limits" {
  source = "../../../../modules/aws/pipeline-limits"

  name                = module.names.base
  regions             = concat([var.common.region], var.bootstrap.more_regions)
  state_bucket        = module.state.bucket
  state_kms_key_arn   = module.state.kms_key_arn
  archive_bucket_arns = local.archive_bucket_arns
  repository_prefix   = module.names.repository_prefix
  tags                = module.tags.tags
}

# The reader of one tenant's archive, bound to one prefix: two such policies in one role would refuse each other's pins.
module "drill" {
  source   = "../../../../modules/pure/archive-policies"
  for_each = var.bootstrap.drill_tenant == null ? {} : { (var.bootstrap.drill_tenant) = try(var.tenants[var.bootstrap.drill_tenant].prefix, null) }

  partition = data.aws_partition.this.partition
  bucket    = module.names.archive
  prefix    = coalesce(each.value, each.key)
  # Which key it will be is known when it is there. What the policy says of it holds for no other: through S3, for objects of this bucket.
  kms_key_arn            = "arn:${data.aws_partition.this.partition}:kms:${var.common.region}:${data.aws_caller_identity.this.account_id}:key/*"
  longest_retention_days = 1 # of a writer, which is not made here
}

module "github" {
  source = "../../../../modules/aws/github-oidc"

  name                      = module.names.base
  repository                = var.bootstrap.repository
  repository_id             = var.bootstrap.repository_id
  apply_environment         = var.bootstrap.apply_environment
  apply_policy_arns         = module.limits.apply_policy_arns
  permissions_boundary_arns = { for role in ["plan", "apply"] : role => module.limits.boundary_arns[role] }
  create_provider           = var.bootstrap.create_provider
  state_bucket              = module.state.bucket
  state_kms_key_arn         = module.state.kms_key_arn
  archive_bucket_arns       = local.archive_bucket_arns
  push_repository_arns      = var.bootstrap.push_images ? ["arn:${data.aws_partition.this.partition}:ecr:${var.common.region}:${data.aws_caller_identity.this.account_id}:repository/${module.names.repository_prefix}/*"] : []
  drill_policy              = one([for policies in module.drill : policies.documents["reader"]])
  tags                      = module.tags.tags
}
