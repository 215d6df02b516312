# What has to be there before anything else, applied once for an environment by an owner of its subscription: where states lie, which groups there are,
# which roles, and who the pipelines are. After that nobody needs a right on the subscription: a pipeline holds rights in these groups only.

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

resource "azurerm_resource_group" "this" {
  for_each = toset(["state", "network", "cluster", "data", "platform"])

  name     = "${module.names.base}-${each.key}"
  location = var.common.region
  tags     = module.tags.tags
}

module "roles" {
  source = "../../../../modules/azure/roles"

  name                     = module.names.base
  subscription_resource_id = data.azurerm_subscription.this.id
}

module "github" {
  source = "../../../../modules/azure/github-oidc"

  name                  = module.names.base
  resource_group_name   = azurerm_resource_group.this["state"].name
  location              = var.common.region
  repository            = var.bootstrap.repository
  apply_environment     = var.bootstrap.apply_environment
  push_images           = var.bootstrap.push_images
  drill                 = var.bootstrap.drill_tenant != null
  scopes                = { for layer, group in azurerm_resource_group.this : layer => group.id if layer != "state" }
  lock_role_id          = module.roles.lock_id
  assignable_role_guids = module.roles.guids
  tags                  = module.tags.tags
}

module "state" {
  source = "../../../../modules/azure/state-bootstrap"

  account_name            = replace(module.names.storage_account, "/ar$/", "st")
  resource_group_name     = azurerm_resource_group.this["state"].name
  location                = var.common.region
  runner_ip_rules         = var.bootstrap.runner_ip_rules
  administrator_group_ids = var.bootstrap.administrator_group_ids
  readers                 = { plan = { object_id = module.github.principal_ids["plan"] } }
  writers = merge(
    { apply = { object_id = module.github.principal_ids["apply"] } },
    { for name, id in var.bootstrap.operator_group_ids : name => { object_id = id, type = "Group" } },
  )
  tags = module.tags.tags
}

data "azurerm_subscription" "this" {}
