# The values are in ../environment.yaml and ../tenants.yaml; what is made of them in ../../layers/bootstrap.

terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.42"
    }
  }

  # terraform init -backend-config=../backend.hcl
  backend "s3" {
    key = "00-bootstrap.tfstate"
  }
}

locals {
  environment = yamldecode(file("${path.module}/../environment.yaml"))
  tenants     = yamldecode(file("${path.module}/../tenants.yaml"))
}

provider "aws" {
  region              = local.environment.common.region
  allowed_account_ids = [local.environment.account_id]
}

module "bootstrap" {
  source = "../../layers/bootstrap"

  common    = local.environment.common
  bootstrap = local.environment.bootstrap
  tenants   = local.tenants
}

output "state_bucket" {
  description = "Bucket of the states of this environment."
  value       = module.bootstrap.state_bucket
}

output "github_role_arns" {
  description = "Roles of the pipelines."
  value       = module.bootstrap.github_role_arns
}

output "permissions_boundary_arn" {
  description = "Boundary of all roles that the other layers make."
  value       = module.bootstrap.permissions_boundary_arn
}
