locals {
  optional = { for name, value in { tenant = var.tenant, restore-of = var.restore_of } : name => value if value != "" }
  tags = merge(var.extra, local.optional, {
    app         = var.application
    env         = var.environment
    owner       = var.owner
    cost-center = var.cost_center
    data-class  = var.data_class
    managed-by  = "terraform"
    repo        = var.repository
  })
}
