mock_provider "aws" {
  source = "../mocks"
}

variables {
  name  = "acme-tidemark-prod-euc1-net"
  cidr  = "10.20.0.0/16"
  zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
  tags  = { app = "tidemark" }
}

run "each_zone_has_a_subnet_of_each_tier_and_a_way_out_of_its_own" {
  command = plan
  assert {
    condition     = length(aws_subnet.private) == 3 && length(aws_subnet.intra) == 3 && length(aws_subnet.public) == 3
    error_message = "Three tiers in three zones."
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_route.nat) == 3
    error_message = "The loss of one zone takes the way out of no other."
  }
  assert {
    condition     = aws_subnet.private["eu-central-1b"].cidr_block == "10.20.32.0/19"
    error_message = aws_subnet.private["eu-central-1b"].cidr_block
  }
  assert {
    condition     = alltrue([for subnet in concat(values(aws_subnet.private), values(aws_subnet.intra), values(aws_subnet.public)) : subnet.map_public_ip_on_launch == false])
    error_message = "A subnet gives public addresses."
  }
}

run "one_gateway_serves_all_zones_where_cost_matters_more" {
  command = plan
  variables {
    nat = "single"
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.nat) == 3
    error_message = "One gateway, three routes."
  }
}

run "without_nat_there_is_no_way_out_but_endpoints" {
  command = plan
  variables {
    nat = "none"
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_route.nat) == 0 && length(aws_eip.nat) == 0
    error_message = "A way out is left."
  }
  assert {
    condition     = contains(keys(aws_vpc_endpoint.interface), "eks-auth") && contains(keys(aws_vpc_endpoint.interface), "sts")
    error_message = "Without eks-auth pods get no credentials."
  }
}

run "endpoints_take_https_from_within_only" {
  command = plan
  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints.cidr_ipv4 == "10.20.0.0/16" && aws_vpc_security_group_ingress_rule.endpoints.from_port == 443 && aws_vpc_security_group_ingress_rule.endpoints.to_port == 443
    error_message = "Endpoints are open to more."
  }
  assert {
    condition     = strcontains(aws_vpc_endpoint.s3.policy, "aws:ResourceAccount")
    error_message = "Buckets of other accounts can be written to."
  }
}

run "a_network_in_the_way_is_refused" {
  command = plan
  variables {
    zones = ["eu-central-1a", "eu-central-1a"]
    nat   = "sometimes"
  }
  expect_failures = [var.zones, var.nat]
}
