output "id" {
  description = "Id of the virtual network."
  value       = azurerm_virtual_network.this.id
}

output "subnet_ids" {
  description = "Ids of the subnets: nodes, endpoints, api-server, gateway."
  value       = { for name, subnet in azurerm_subnet.this : name => subnet.id }
  # Who builds on a subnet needs its rules to be in place.
  depends_on = [azurerm_subnet_network_security_group_association.this, azurerm_subnet_nat_gateway_association.nodes]
}

output "subnet_cidrs" {
  description = "Ranges of the subnets."
  value       = { for name, subnet in local.subnets : name => subnet.cidr }
}

output "pod_cidr" {
  description = "Range of pods in the overlay."
  value       = var.pod_cidr
}

output "private_dns_zone_ids" {
  description = "Ids of the private zones: blob, registry, vault."
  value       = { for name, zone in azurerm_private_dns_zone.this : name => zone.id }
}

output "egress_address" {
  description = "The one address that everything leaves by; for allow lists of others."
  value       = azurerm_public_ip.nat.ip_address
}
