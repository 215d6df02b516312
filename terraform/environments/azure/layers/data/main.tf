# What outlives clusters: backups, images, the keys of both, and the identities of the tenants. A plan of the cluster's layer cannot touch any of it.

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

  vault_name                 = module.names.key_vault
  resource_group_name        = data.azurerm_resource_group.this.name
  location                   = var.common.region
  tenant_id                  = data.azurerm_client_config.this.tenant_id
  administrator_object_id    = data.azurerm_client_config.this.object_id
  keys                       = { archive = {}, registry = {} }
  endpoint_subnet_id         = var.network.subnet_ids["endpoints"]
  private_dns_zone_id        = var.network.private_dns_zone_ids["vault"]
  log_analytics_workspace_id = var.network.workspace_id
  tags                       = module.tags.tags
}

module "registry" {
  source = "../../../../modules/azure/registry"

  name                       = module.names.base
  registry_name              = module.names.container_registry
  resource_group_name        = data.azurerm_resource_group.this.name
  location                   = var.common.region
  key_id                     = module.keys.versionless_key_ids["registry"]
  key_resource_id            = module.keys.key_resource_ids["registry"]
  replica_regions            = var.data.registry_replica_regions
  push_principal_ids         = var.release_principal_id == null ? {} : { release = var.release_principal_id }
  endpoint_subnet_id         = var.network.subnet_ids["endpoints"]
  private_dns_zone_id        = var.network.private_dns_zone_ids["registry"]
  log_analytics_workspace_id = var.network.workspace_id
  tags                       = module.tags.tags
}

module "identity" {
  source = "../../../../modules/azure/identity"

  name                = module.names.base
  resource_group_name = data.azurerm_resource_group.this.name
  location            = var.common.region
  tenants             = toset(keys(var.tenants))
  tags                = module.tags.tags
}

module "backup_store" {
  source = "../../../../modules/azure/backup-store"

  name                       = module.names.base
  account_name               = module.names.storage_account
  control_account_name       = replace(module.names.storage_account, "/ar$/", "ct")
  resource_group_name        = data.azurerm_resource_group.this.name
  resource_group_id          = data.azurerm_resource_group.this.id
  location                   = var.common.region
  replication                = var.data.replication
  tenants                    = { for name, tenant in var.tenants : name => { retention_days = tenant.retention_days } }
  roles                      = var.roles
  principal_ids              = module.identity.principal_ids
  more_readers               = var.drill == null ? {} : { drill = var.drill }
  retention_days             = var.data.retention_days
  locked_tenants             = var.data.locked_tenants
  object_retention_supported = var.data.object_retention_supported
  soft_delete_days           = var.data.soft_delete_days
  cool_after_days            = var.data.cool_after_days
  key_id                     = module.keys.versionless_key_ids["archive"]
  key_resource_id            = module.keys.key_resource_ids["archive"]
  endpoint_subnet_id         = var.network.subnet_ids["endpoints"]
  private_dns_zone_id        = var.network.private_dns_zone_ids["blob"]
  log_analytics_workspace_id = var.network.workspace_id
  action_group_id            = var.network.action_group_id
  tags                       = module.tags.tags
}

# Made by the bootstrap: who applies this layer has rights in this group, and none to make others.
data "azurerm_resource_group" "this" {
  name = "${module.names.base}-data"
}

data "azurerm_client_config" "this" {}
