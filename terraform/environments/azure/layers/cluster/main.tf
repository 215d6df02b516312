# The cluster and the keys that die with it. Nothing inside the cluster is made here: a provider that signs in to a cluster of the same state fails
# when that cluster is replaced.

module "names" {
  source = "../../../../modules/pure/naming"

  organisation = var.common.organisation
  application  = var.common.application
  environment  = var.common.environment
  region       = var.common.region
}

module "tags" {
  source = "../../../../modules/pure/tags"

  application = var.common.application
  environment = var.common.environment
  owner       = var.common.owner
  cost_center = var.common.cost_center
  repository  = var.common.repository
  data_class  = var.common.data_class
}

module "keys" {
  source = "../../../../modules/azure/key-vault"

  vault_name              = replace(module.names.key_vault, "-kv", "-ck")
  resource_group_name     = data.azurerm_resource_group.this.name
  location                = var.common.region
  tenant_id               = data.azurerm_client_config.this.tenant_id
  administrator_object_id = data.azurerm_client_config.this.object_id
  keys                    = { disks = {}, etcd = { use = "encrypt", rotate = false } }
  # A lock would also keep the rights of a cluster that is gone: Azure deletes no role assignment at a locked scope.
  keep                       = false
  endpoint_subnet_id         = var.network.subnet_ids["endpoints"]
  private_dns_zone_id        = var.network.private_dns_zone_ids["vault"]
  log_analytics_workspace_id = var.network.workspace_id
  tags                       = module.tags.tags
}

module "cluster" {
  source = "../../../../modules/azure/aks"

  name                       = module.names.cluster
  resource_group_name        = data.azurerm_resource_group.this.name
  location                   = var.common.region
  tenant_id                  = data.azurerm_client_config.this.tenant_id
  kubernetes_version         = var.cluster.kubernetes_version
  private                    = var.cluster.private
  authorized_ip_ranges       = var.cluster.authorized_ip_ranges
  admin_group_ids            = var.cluster.admin_group_ids
  node_subnet_id             = var.network.subnet_ids["nodes"]
  api_server_subnet_id       = var.network.subnet_ids["api-server"]
  pod_cidr                   = var.network.pod_cidr
  zones                      = var.cluster.zones
  system_nodes               = var.cluster.system_nodes
  data_nodes                 = var.cluster.data_nodes
  general_nodes              = var.cluster.general_nodes
  maintenance                = var.cluster.maintenance
  etcd_key_id                = module.keys.key_ids["etcd"]
  etcd_key_resource_id       = module.keys.key_resource_ids["etcd"]
  disk_key_id                = module.keys.versionless_key_ids["disks"]
  disk_key_resource_id       = module.keys.key_resource_ids["disks"]
  log_analytics_workspace_id = var.network.workspace_id
  defender_enabled           = var.cluster.defender_enabled
  tags                       = module.tags.tags
}

# Made by the bootstrap: who applies this layer has rights in this group, and none to make others.
data "azurerm_resource_group" "this" {
  name = "${module.names.base}-cluster"
}

data "azurerm_client_config" "this" {}
