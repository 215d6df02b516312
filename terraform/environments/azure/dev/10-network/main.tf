# The values are in ../environment.yaml; what is made of them in ../../layers/network.

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
    key              = "10-network.tfstate"
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

module "network" {
  source = "../../layers/network"

  common  = local.environment.common
  network = local.environment.network
}

output "network" {
  description = "The network, and where logs and alarms go."
  value       = module.network.network
}
