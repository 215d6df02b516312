# The values are in ../environment.yaml; what is made of them in ../../layers/bootstrap.

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
    container_name   = "bootstrap"
    key              = "00-bootstrap.tfstate"
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

module "bootstrap" {
  source = "../../layers/bootstrap"

  common    = local.environment.common
  bootstrap = local.environment.bootstrap
}

output "state_account" {
  description = "Storage account of the states of this environment."
  value       = module.bootstrap.state_account
}

output "state_containers" {
  description = "Containers of the layers' states and of this one."
  value       = module.bootstrap.state_containers
}

output "github_client_ids" {
  description = "Client ids of the pipelines by role."
  value       = module.bootstrap.github_client_ids
}

output "release_principal_id" {
  description = "Object id of the identity that pushes images."
  value       = module.bootstrap.release_principal_id
}

output "drill" {
  description = "Who drills every week from which tenant's archive."
  value       = module.bootstrap.drill
}

output "roles" {
  description = "Custom roles."
  value       = module.bootstrap.roles
}
