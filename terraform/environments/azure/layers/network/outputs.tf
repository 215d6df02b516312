output "network" {
  description = "Ids and ranges of the network, and where logs and alarms go, for the layers above."
  value = {
    id                   = module.network.id
    subnet_ids           = module.network.subnet_ids
    subnet_cidrs         = module.network.subnet_cidrs
    pod_cidr             = module.network.pod_cidr
    private_dns_zone_ids = module.network.private_dns_zone_ids
    egress_address       = module.network.egress_address
    workspace_id         = module.observability.workspace_id
    action_group_id      = module.observability.action_group_id
  }
}
