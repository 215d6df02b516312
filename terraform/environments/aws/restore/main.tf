# A fresh place for a restore: network, cluster and roles of its own, under names that have never been used. It reads the archive and never owns it: no resource here is the
# bucket, its key or its policy, so neither apply nor destroy can touch a backup.
#
# A new cluster has a new OIDC issuer, and trust that names the old one (IRSA) would leave the restored pods without access. So the roles here trust the service
# principal of EKS Pod Identity for this cluster's ARN; they are made with the cluster and go with it.

terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.42"
    }
  }

  # terraform init -backend-config=key=restore/SUFFIX.tfstate -backend-config=… (README.md): one state for each restore
  backend "s3" {}
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]
}

module "names" {
  source = "../../../modules/pure/naming"

  organisation = var.organisation
  application  = var.application
  environment  = "restore"
  region       = var.region
  suffix       = var.suffix
}

module "tags" {
  source = "../../../modules/pure/tags"

  application = var.application
  environment = "restore"
  owner       = var.owner
  cost_center = var.cost_center
  data_class  = var.data_class
  tenant      = var.tenant.name
  restore_of  = var.source_environment
  extra       = { restore-suffix = var.suffix }
}

# Looked at, so that a wrong name or region ends the plan and not the restore.
data "aws_s3_bucket" "archive" {
  bucket = var.archive.bucket
  region = var.archive.region
}

module "network" {
  source = "../../../modules/aws/network"

  name                     = module.names.network
  cidr                     = var.network.cidr
  zones                    = var.network.zones
  taken                    = var.network.taken
  nat                      = var.network.nat
  flow_log_days            = 30
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = module.tags.tags
}

module "cluster" {
  source = "../../../modules/aws/eks"

  name                     = module.names.cluster
  kubernetes_version       = var.cluster.kubernetes_version
  control_plane_subnet_ids = values(module.network.intra_subnet_ids)
  node_subnet_ids          = module.network.private_subnet_ids
  api_client_cidrs         = var.cluster.api_client_cidrs
  access                   = var.cluster.access
  system_nodes             = var.cluster.system_nodes
  data_nodes               = var.cluster.data_nodes
  addon_versions           = var.cluster.addon_versions
  # A drill destroys what it made; who keeps a restore turns it on in the environment that adopts the cluster.
  deletion_protection      = false
  log_days                 = 30
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = module.tags.tags
}

module "access" {
  source = "../../../modules/aws/backup-access"

  cluster_name           = module.cluster.name
  cluster_arn            = module.cluster.arn
  bucket                 = data.aws_s3_bucket.archive.bucket
  kms_key_arn            = var.archive.kms_key_arn
  longest_retention_days = try(var.archive.lock.days, 1)
  tenants = {
    (var.tenant.name) = {
      namespace = local.namespace
      prefix    = local.prefix
      writer    = var.resume_backups ? local.service_account : null
      reader    = var.resume_backups ? null : local.service_account
    }
  }
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = module.tags.tags
}

module "controllers" {
  source = "../../../modules/aws/identity"

  cluster_name             = module.cluster.name
  cluster_arn              = module.cluster.arn
  vpc_id                   = module.network.vpc_id
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = module.tags.tags
}

module "edge" {
  source = "../../../modules/aws/edge-waf"
  count  = var.edge == null ? 0 : 1

  name                 = "${module.names.base}-edge${module.names.suffix}"
  requests_per_address = var.edge.requests_per_address
  tags                 = module.tags.tags
}
