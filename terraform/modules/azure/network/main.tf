# One virtual network. Azure's subnets span zones, so there is one for each purpose and not one for each zone:
# nodes, private endpoints, the interfaces of the API server, and the gateway that faces the internet.

resource "azurerm_virtual_network" "this" {
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  address_space       = [var.cidr]
  tags                = var.tags
}

resource "azurerm_subnet" "this" {
  for_each = local.subnets

  name                 = each.key
  resource_group_name  = var.resource_group_name
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = [each.value.cidr]
  # Azure's implicit way out has an address that nobody owns and no log.
  default_outbound_access_enabled = false
  # Without this Azure leaves security groups and routes aside for private endpoints.
  private_endpoint_network_policies = "Enabled"

  dynamic "delegation" {
    for_each = each.value.delegation == null ? [] : [each.value.delegation]
    content {
      name = "service"
      service_delegation {
        name    = delegation.value
        actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
      }
    }
  }
}

locals {
  subnets = {
    nodes      = { cidr = var.subnets.nodes, delegation = null }
    endpoints  = { cidr = var.subnets.endpoints, delegation = null }
    api-server = { cidr = var.subnets.api_server, delegation = "Microsoft.ContainerService/managedClusters" }
    gateway    = { cidr = var.subnets.gateway, delegation = "Microsoft.ServiceNetworking/trafficControllers" }
  }
}

# One known address for everything that leaves; a gateway of StandardV2 stands in all zones by itself (naming them is refused), one of the older kind in one.
resource "azurerm_public_ip" "nat" {
  name                = "${var.name}-nat"
  resource_group_name = var.resource_group_name
  location            = var.location
  allocation_method   = "Static"
  sku                 = "StandardV2"
  zones               = var.zones
  tags                = var.tags
}

resource "azurerm_nat_gateway" "this" {
  name                    = "${var.name}-nat"
  resource_group_name     = var.resource_group_name
  location                = var.location
  sku_name                = "StandardV2"
  idle_timeout_in_minutes = 10
  tags                    = var.tags
}

resource "azurerm_nat_gateway_public_ip_association" "this" {
  nat_gateway_id       = azurerm_nat_gateway.this.id
  public_ip_address_id = azurerm_public_ip.nat.id
}

# Only nodes go out; endpoints and the API server's interfaces have no business on the internet.
resource "azurerm_subnet_nat_gateway_association" "nodes" {
  subnet_id      = azurerm_subnet.this["nodes"].id
  nat_gateway_id = azurerm_nat_gateway.this.id
}
