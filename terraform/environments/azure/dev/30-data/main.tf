# The values are in ../environment.yaml and ../tenants.yaml; what is made of them in ../../layers/data.

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
    key              = "30-data.tfstate"
    use_azuread_auth = true
  }
}

locals {
  environment = yamldecode(file("${path.module}/../environment.yaml"))
  tenants     = yamldecode(file("${path.module}/../tenants.yaml"))
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

data "terraform_remote_state" "bootstrap" {
  backend = "azurerm"
  config  = merge(local.environment.state, { container_name = "bootstrap", key = "00-bootstrap.tfstate", use_azuread_auth = true })
}

data "terraform_remote_state" "network" {
  backend = "azurerm"
  config  = merge(local.environment.state, { container_name = "tfstate", key = "10-network.tfstate", use_azuread_auth = true })
}

module "data" {
  source = "../../layers/data"

  common  = local.environment.common
  data    = local.environment.data
  tenants = local.tenants
  network = data.terraform_remote_state.network.outputs.network
  roles   = data.terraform_remote_state.bootstrap.outputs.roles.archive

  # An output that is null is not in the state.
  release_principal_id = try(data.terraform_remote_state.bootstrap.outputs.release_principal_id, null)
  drill                = try(data.terraform_remote_state.bootstrap.outputs.drill, null)
}

output "archive" {
  description = "The archive, by tenant: what a restore is given."
  value       = module.data.archive
}

output "registry" {
  description = "Registry of the images."
  value       = module.data.registry
}
