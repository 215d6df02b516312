# A fresh place for a restore: network, cluster and trust of its own, under names that have never been used, in one resource group. It reads the archive and never owns it:
# no resource here is the storage account, a container, a key or a role, so neither apply nor destroy can touch a backup. What is made beside them is a way to them (private
# endpoints in the fresh network) and trust in the new cluster (trust.tf), and both go with this root.

terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }

  # terraform init -backend-config=key=restore/SUFFIX.tfstate -backend-config=… (README.md): one state for each restore
  backend "azurerm" {
    use_azuread_auth = true
  }
}

provider "azurerm" {
  subscription_id                 = var.subscription_id
  tenant_id                       = var.entra_tenant_id
  storage_use_azuread             = true
  resource_provider_registrations = "none"

  features {
    key_vault {
      purge_soft_delete_on_destroy    = false
      recover_soft_deleted_key_vaults = false
    }
    resource_group {
      # What the cluster made beside it (load balancers, disks of volumes) goes with the group: nothing of a drill is left to be paid.
      prevent_deletion_if_contains_resources = false
    }
  }
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

data "azurerm_client_config" "this" {}

resource "azurerm_resource_group" "this" {
  name     = local.base
  location = var.region
  tags     = module.tags.tags
}

module "cidr_plan" {
  source = "../../../modules/pure/cidr-plan"

  cidr  = var.network.cidr
  taken = var.network.taken
}

module "network" {
  source = "../../../modules/azure/network"

  name                = module.names.network
  resource_group_name = azurerm_resource_group.this.name
  location            = var.region
  cidr                = var.network.cidr
  subnets = {
    nodes      = module.cidr_plan.private[0]
    endpoints  = module.cidr_plan.intra[0]
    api_server = module.cidr_plan.intra[1]
    gateway    = module.cidr_plan.public[0]
  }
  operator_cidrs = var.network.operator_cidrs
  zones          = var.network.zones
  tags           = module.tags.tags
}

module "observability" {
  source = "../../../modules/azure/observability"

  name                     = local.base
  resource_group_name      = azurerm_resource_group.this.name
  location                 = var.region
  subscription_resource_id = "/subscriptions/${var.subscription_id}"
  addresses                = var.alarm_addresses
  retention_days           = 30
  tags                     = module.tags.tags
}

module "keys" {
  source = "../../../modules/azure/key-vault"

  vault_name                 = replace(module.names.key_vault, "-kv", "-ck")
  resource_group_name        = azurerm_resource_group.this.name
  location                   = var.region
  tenant_id                  = var.entra_tenant_id
  administrator_object_id    = data.azurerm_client_config.this.object_id
  keys                       = { disks = {}, etcd = { use = "encrypt", rotate = false } }
  keep                       = false
  endpoint_subnet_id         = module.network.subnet_ids["endpoints"]
  private_dns_zone_id        = module.network.private_dns_zone_ids["vault"]
  log_analytics_workspace_id = module.observability.workspace_id
  tags                       = module.tags.tags
}

module "cluster" {
  source = "../../../modules/azure/aks"

  name                       = module.names.cluster
  resource_group_name        = azurerm_resource_group.this.name
  location                   = var.region
  tenant_id                  = var.entra_tenant_id
  kubernetes_version         = var.cluster.kubernetes_version
  private                    = var.cluster.private
  authorized_ip_ranges       = var.cluster.authorized_ip_ranges
  admin_group_ids            = var.cluster.admin_group_ids
  node_subnet_id             = module.network.subnet_ids["nodes"]
  api_server_subnet_id       = module.network.subnet_ids["api-server"]
  pod_cidr                   = module.network.pod_cidr
  zones                      = var.network.zones
  system_nodes               = var.cluster.system_nodes
  data_nodes                 = var.cluster.data_nodes
  general_nodes              = var.cluster.general_nodes
  etcd_key_id                = module.keys.key_ids["etcd"]
  etcd_key_resource_id       = module.keys.key_resource_ids["etcd"]
  disk_key_id                = module.keys.versionless_key_ids["disks"]
  disk_key_resource_id       = module.keys.key_resource_ids["disks"]
  registry_ids               = { source = var.registry.id }
  log_analytics_workspace_id = module.observability.workspace_id
  # Paid by core, and a drill lasts an hour.
  defender_enabled = false
  tags             = module.tags.tags
}

# Ways from the fresh network to what belongs to the source.
resource "azurerm_private_endpoint" "source" {
  for_each = {
    archive  = { resource = var.archive.account_id, subresource = "blob", zone = "blob" }
    control  = { resource = var.archive.control_account_id, subresource = "blob", zone = "blob" }
    registry = { resource = var.registry.id, subresource = "registry", zone = "registry" }
  }

  name                = "${local.base}-${each.key}"
  resource_group_name = azurerm_resource_group.this.name
  location            = var.region
  subnet_id           = module.network.subnet_ids["endpoints"]
  tags                = module.tags.tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = each.value.resource
    subresource_names              = [each.value.subresource]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = each.key
    private_dns_zone_ids = [module.network.private_dns_zone_ids[each.value.zone]]
  }
}

module "edge" {
  source = "../../../modules/azure/edge"
  count  = var.edge == null ? 0 : 1

  name                       = "${local.base}-edge"
  resource_group_name        = azurerm_resource_group.this.name
  location                   = var.region
  gateway_subnet_id          = module.network.subnet_ids["gateway"]
  subnet_join_role_id        = var.edge.subnet_join_role_id
  node_groups                = { cluster = module.cluster.node_resource_group_id }
  requests_per_address       = var.edge.requests_per_address
  log_analytics_workspace_id = module.observability.workspace_id
  tags                       = module.tags.tags
}

locals {
  base = "${module.names.base}${module.names.suffix}"
}
