# The values are in ../environment.yaml and ../tenants.yaml; what is made of them in ../../layers/platform.

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
    key = "40-platform.tfstate"
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

data "terraform_remote_state" "network" {
  backend = "s3"
  config  = merge(local.environment.state, { key = "10-network.tfstate" })
}

data "terraform_remote_state" "cluster" {
  backend = "s3"
  config  = merge(local.environment.state, { key = "20-cluster.tfstate" })
}

data "terraform_remote_state" "data" {
  backend = "s3"
  config  = merge(local.environment.state, { key = "30-data.tfstate" })
}

module "platform" {
  source = "../../layers/platform"

  common   = local.environment.common
  platform = local.environment.platform
  tenants  = local.tenants
  network  = data.terraform_remote_state.network.outputs.network
  cluster  = data.terraform_remote_state.cluster.outputs.cluster
  archive  = data.terraform_remote_state.data.outputs.archive
}

output "archive_role_arns" {
  description = "Roles in the archive by tenant and role."
  value       = module.platform.archive_role_arns
}

output "controller_role_arns" {
  description = "Roles of controllers in the cluster."
  value       = module.platform.controller_role_arns
}

output "web_acl_arn" {
  description = "Web ACL of the edge."
  value       = module.platform.web_acl_arn
}

output "alarm_topic_arn" {
  description = "Topic of the alarms."
  value       = module.platform.alarm_topic_arn
}
