# What may reach what. Every group ends with a refusal of its own: Azure's default rules let the whole virtual network in and everything out.
# Rules are data, so that tests can judge them; `port` "*" stands only where Azure's own documentation demands all ports, between nodes and pods.

locals {
  anywhere = "*"

  rules = {
    nodes = concat(
      [
        # Azure CNI Overlay does not encapsulate: pods' addresses are seen by the subnet's group.
        { name = "node-to-node", direction = "Inbound", protocol = "*", from = var.subnets.nodes, to = var.subnets.nodes, port = "*" },
        { name = "node-to-pod", direction = "Inbound", protocol = "*", from = var.subnets.nodes, to = var.pod_cidr, port = "*" },
        { name = "pod-to-pod", direction = "Inbound", protocol = "*", from = var.pod_cidr, to = var.pod_cidr, port = "*" },
        { name = "api-server-to-kubelet", direction = "Inbound", protocol = "Tcp", from = var.subnets.api_server, to = var.subnets.nodes, port = "10250" },
        { name = "load-balancer-probes", direction = "Inbound", protocol = "*", from = "AzureLoadBalancer", to = local.anywhere, port = "*" },
      ],
      [
        for port in var.backend_ports :
        { name = "gateway-to-pods-${port}", direction = "Inbound", protocol = "Tcp", from = var.subnets.gateway, to = var.pod_cidr, port = tostring(port) }
      ],
      [
        { name = "to-nodes", direction = "Outbound", protocol = "*", from = local.anywhere, to = var.subnets.nodes, port = "*" },
        { name = "to-pods", direction = "Outbound", protocol = "*", from = local.anywhere, to = var.pod_cidr, port = "*" },
        { name = "to-endpoints", direction = "Outbound", protocol = "Tcp", from = local.anywhere, to = var.subnets.endpoints, port = "443" },
        { name = "to-api-server", direction = "Outbound", protocol = "Tcp", from = local.anywhere, to = var.subnets.api_server, port = "443" },
        { name = "to-api-server-tunnel", direction = "Outbound", protocol = "Tcp", from = local.anywhere, to = var.subnets.api_server, port = "4443" },
        # AKS pulls its own parts from names that no service tag covers.
        { name = "to-internet-https", direction = "Outbound", protocol = "Tcp", from = local.anywhere, to = "Internet", port = "443" },
        { name = "to-internet-time", direction = "Outbound", protocol = "Udp", from = local.anywhere, to = "Internet", port = "123" },
      ],
    )

    endpoints = [
      { name = "nodes-https", direction = "Inbound", protocol = "Tcp", from = var.subnets.nodes, to = var.subnets.endpoints, port = "443" },
      { name = "pods-https", direction = "Inbound", protocol = "Tcp", from = var.pod_cidr, to = var.subnets.endpoints, port = "443" },
      { name = "api-server-https", direction = "Inbound", protocol = "Tcp", from = var.subnets.api_server, to = var.subnets.endpoints, port = "443" },
    ]

    api-server = concat(
      [
        { name = "nodes-https", direction = "Inbound", protocol = "Tcp", from = var.subnets.nodes, to = var.subnets.api_server, port = "443" },
        { name = "pods-https", direction = "Inbound", protocol = "Tcp", from = var.pod_cidr, to = var.subnets.api_server, port = "443" },
        # The tunnel by which the API server reaches pods is opened from the nodes.
        { name = "nodes-tunnel", direction = "Inbound", protocol = "Tcp", from = var.subnets.nodes, to = var.subnets.api_server, port = "4443" },
        { name = "load-balancer-probes", direction = "Inbound", protocol = "Tcp", from = "AzureLoadBalancer", to = var.subnets.api_server, port = "9988" },
      ],
      [
        for index, range in var.operator_cidrs :
        { name = "operators-${index}-https", direction = "Inbound", protocol = "Tcp", from = range, to = var.subnets.api_server, port = "443" }
      ],
      [
        { name = "to-kubelet", direction = "Outbound", protocol = "Tcp", from = var.subnets.api_server, to = var.subnets.nodes, port = "10250" },
        # Webhooks and aggregated APIs listen where their charts say.
        { name = "to-pods", direction = "Outbound", protocol = "Tcp", from = var.subnets.api_server, to = var.pod_cidr, port = "*" },
        { name = "to-endpoints", direction = "Outbound", protocol = "Tcp", from = var.subnets.api_server, to = var.subnets.endpoints, port = "443" },
        { name = "to-azure", direction = "Outbound", protocol = "Tcp", from = var.subnets.api_server, to = "AzureCloud", port = "443" },
      ],
    )

    gateway = concat(
      [
        { name = "internet-https", direction = "Inbound", protocol = "Tcp", from = "Internet", to = local.anywhere, port = "443" },
        { name = "load-balancer-probes", direction = "Inbound", protocol = "*", from = "AzureLoadBalancer", to = local.anywhere, port = "*" },
      ],
      [
        for port in var.backend_ports :
        { name = "to-pods-${port}", direction = "Outbound", protocol = "Tcp", from = local.anywhere, to = var.pod_cidr, port = tostring(port) }
      ],
      [{ name = "to-azure", direction = "Outbound", protocol = "Tcp", from = local.anywhere, to = "AzureCloud", port = "443" }],
    )
  }

  numbered = merge([
    for subnet, rules in local.rules : {
      for index, rule in rules : "${subnet}/${rule.direction}/${rule.name}" => merge(rule, { subnet = subnet, priority = 200 + 10 * index })
    }
  ]...)
}

resource "azurerm_network_security_group" "this" {
  for_each = local.subnets

  name                = "${var.name}-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

resource "azurerm_network_security_rule" "allow" {
  for_each = local.numbered

  name                        = each.value.name
  resource_group_name         = var.resource_group_name
  network_security_group_name = azurerm_network_security_group.this[each.value.subnet].name
  priority                    = each.value.priority
  direction                   = each.value.direction
  access                      = "Allow"
  protocol                    = each.value.protocol
  source_address_prefix       = each.value.from
  source_port_range           = "*"
  destination_address_prefix  = each.value.to
  destination_port_range      = each.value.port
}

resource "azurerm_network_security_rule" "deny" {
  for_each = { for pair in setproduct(keys(local.subnets), ["Inbound", "Outbound"]) : "${pair[0]}/${pair[1]}" => { subnet = pair[0], direction = pair[1] } }

  name                        = "deny-the-rest-${lower(each.value.direction)}"
  resource_group_name         = var.resource_group_name
  network_security_group_name = azurerm_network_security_group.this[each.value.subnet].name
  priority                    = 4096
  direction                   = each.value.direction
  access                      = "Deny"
  protocol                    = "*"
  source_address_prefix       = "*"
  source_port_range           = "*"
  destination_address_prefix  = "*"
  destination_port_range      = "*"
}

resource "azurerm_subnet_network_security_group_association" "this" {
  for_each = local.subnets

  subnet_id                 = azurerm_subnet.this[each.key].id
  network_security_group_id = azurerm_network_security_group.this[each.key].id
  # A group without its rules would cut off what is at work, or let all in.
  depends_on = [azurerm_network_security_rule.allow, azurerm_network_security_rule.deny]
}
