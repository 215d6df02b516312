# The values are in ../environment.yaml; what is made of them in ../../layers/cluster.

terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }

  # terraform init -backend-config=../backend.hcl
  backend "azurerm" {
    container_name   = "tfstate"
    key              = "20-cluster.tfstate"
    use_azuread_auth = true
  }
}

locals {
  environment = yamldecode(file("${path.module}/../environment.yaml"))
}

provider "azurerm" {
  subscription_id = local.environment.subscription_id
  tenant_id       = local.environment.tenant_id
  # Signs in as a person or by a token of the pipeline; storage accounts have no keys.
  storage_use_azuread             = true
  resource_provider_registrations = "none"

  features {
    key_vault {
      purge_soft_delete_on_destroy    = false
      recover_soft_deleted_key_vaults = false
    }
    resource_group {
      prevent_deletion_if_contains_resources = true
    }
  }
}

data "terraform_remote_state" "network" {
  backend = "azurerm"
  config  = merge(local.environment.state, { container_name = "tfstate", key = "10-network.tfstate", use_azuread_auth = true })
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
