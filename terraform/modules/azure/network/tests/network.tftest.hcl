mock_provider "azurerm" {}

variables {
  name                = "acme-tidemark-dev-weu-net"
  resource_group_name = "acme-tidemark-dev-weu-network"
  location            = "westeurope"
  tags                = { app = "tidemark" }
  cidr                = "10.40.0.0/16"
  subnets = {
    nodes      = "10.40.0.0/19"
    endpoints  = "10.40.192.0/22"
    api_server = "10.40.196.0/22"
    gateway    = "10.40.224.0/22"
  }
  operator_cidrs = ["10.8.0.0/16"]
}

run "every_subnet_has_a_group_that_ends_with_a_refusal" {
  assert {
    condition     = toset(keys(azurerm_subnet_network_security_group_association.this)) == toset(keys(azurerm_subnet.this))
    error_message = "A subnet without a group lets the whole network in."
  }
  assert {
    condition     = length(azurerm_network_security_rule.deny) == 8 && alltrue([for rule in azurerm_network_security_rule.deny : rule.access == "Deny" && rule.priority == 4096])
    error_message = "Azure's default rules lie behind 65000 and allow the virtual network."
  }
}

run "the_internet_reaches_https_of_the_gateway_and_nothing_else" {
  assert {
    condition = [
      for key, rule in azurerm_network_security_rule.allow : key if rule.direction == "Inbound" && contains(["Internet", "*", "0.0.0.0/0"], rule.source_address_prefix)
    ] == ["gateway/Inbound/internet-https"]
    error_message = "Only the gateway is for everybody."
  }
  assert {
    condition     = azurerm_network_security_rule.allow["gateway/Inbound/internet-https"].destination_port_range == "443"
    error_message = "Without TLS nothing is served."
  }
}

run "the_gateway_does_not_reach_the_database" {
  assert {
    condition = alltrue([
      for rule in azurerm_network_security_rule.allow : contains(["443", "3000"], rule.destination_port_range)
      if rule.network_security_group_name == "acme-tidemark-dev-weu-net-gateway" && rule.direction == "Outbound"
    ])
    error_message = "The gateway speaks to the ports of the API only."
  }
  assert {
    condition     = alltrue([for rule in azurerm_network_security_rule.allow : rule.destination_port_range != "27017"])
    error_message = "Nothing outside of the cluster reaches the database."
  }
}

run "priorities_within_a_group_and_direction_differ" {
  assert {
    condition = length(distinct([
      for rule in azurerm_network_security_rule.allow : "${rule.network_security_group_name}/${rule.direction}/${rule.priority}"
    ])) == length(azurerm_network_security_rule.allow)
    error_message = "Azure refuses two rules of one priority."
  }
}

run "no_subnet_has_the_implicit_way_out" {
  assert {
    condition     = alltrue([for subnet in azurerm_subnet.this : subnet.default_outbound_access_enabled == false && subnet.private_endpoint_network_policies == "Enabled"])
    error_message = "Traffic leaves by the NAT gateway, and endpoints obey their group."
  }
}

run "a_small_gateway_subnet_is_refused" {
  command = plan
  variables {
    subnets = { nodes = "10.40.0.0/19", endpoints = "10.40.192.0/22", api_server = "10.40.196.0/22", gateway = "10.40.224.0/26" }
  }
  expect_failures = [var.subnets]
}

run "the_database_is_no_backend" {
  command = plan
  variables {
    backend_ports = [3000, 27017]
  }
  expect_failures = [var.backend_ports]
}

run "everybody_is_no_operator" {
  command = plan
  variables {
    operator_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.operator_cidrs]
}

run "a_small_subnet_of_the_api_server_is_refused" {
  command = plan
  variables {
    subnets = { nodes = "10.40.0.0/19", endpoints = "10.40.192.0/22", api_server = "10.40.196.0/29", gateway = "10.40.224.0/24" }
  }
  expect_failures = [var.subnets]
}
