# The values are in ../environment.yaml; what is made of them in ../../layers/cluster.

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
    key = "20-cluster.tfstate"
  }
}

locals {
  environment = yamldecode(file("${path.module}/../environment.yaml"))
}

provider "aws" {
  region              = local.environment.common.region
  allowed_account_ids = [local.environment.account_id]
}

data "terraform_remote_state" "network" {
  backend = "s3"
  config  = merge(local.environment.state, { key = "10-network.tfstate" })
}

module "cluster" {
  source = "../../layers/cluster"

  common  = local.environment.common
  cluster = local.environment.cluster
  network = data.terraform_remote_state.network.outputs.network
}

output "cluster" {
  description = "The cluster."
  value       = module.cluster.cluster
}
