output "edge" {
  description = "The way in, for the Gateway and for DNS."
  value = {
    alb_id               = module.edge.id
    host                 = module.edge.host
    gateway_class        = module.edge.gateway_class
    waf_policy_id        = module.edge.waf_policy_id
    controller_client_id = module.edge.controller_client_id
  }
}

output "tenants" {
  description = "What each tenant's chart is given: its archive, and the client ids that annotate its service accounts."
  value = {
    for name, tenant in var.tenants : name => {
      namespace   = coalesce(tenant.namespace, name)
      archive_url = var.archive.tenants[name].url
      control_url = var.archive.tenants[name].control_url
      client_ids  = { for holder, identity in var.archive.tenants[name].identities : holder => identity.client_id }
    }
  }
}
