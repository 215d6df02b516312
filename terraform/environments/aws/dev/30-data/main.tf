# The values are in ../environment.yaml and ../tenants.yaml; what is made of them in ../../layers/data.

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
    key = "30-data.tfstate"
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

module "data" {
  source = "../../layers/data"

  common  = local.environment.common
  data    = local.environment.data
  tenants = local.tenants
}

output "archive" {
  description = "The archive bucket."
  value       = module.data.archive
}

output "archive_urls" {
  description = "URL of each tenant's archive."
  value       = module.data.archive_urls
}

output "registry" {
  description = "Registry of the images."
  value       = module.data.registry
}
