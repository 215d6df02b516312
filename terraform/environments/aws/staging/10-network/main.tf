# The values are in ../environment.yaml; what is made of them in ../../layers/network.

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
    key = "10-network.tfstate"
  }
}

locals {
  environment = yamldecode(file("${path.module}/../environment.yaml"))
}

provider "aws" {
  region              = local.environment.common.region
  allowed_account_ids = [local.environment.account_id]
}

module "network" {
  source = "../../layers/network"

  common  = local.environment.common
  network = local.environment.network
}

output "network" {
  description = "The network."
  value       = module.network.network
}
