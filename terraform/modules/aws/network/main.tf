# Three tiers in each zone: private (nodes and pods), intra (endpoints, control plane; no way out) and public (load balancers, NAT). No database, node or
# endpoint is in a public subnet, and no subnet gives public addresses.

data "aws_region" "this" {}
data "aws_partition" "this" {}
data "aws_caller_identity" "this" {}

module "ranges" {
  source = "../../pure/cidr-plan"

  cidr  = var.cidr
  zones = length(var.zones)
  taken = var.taken
}

locals {
  zones = { for index, zone in var.zones : zone => index }
  # The zones that have a NAT gateway, and for each zone the one that it uses.
  nat_zones = var.nat == "per-zone" ? var.zones : var.nat == "single" ? slice(var.zones, 0, 1) : []
  nat_of    = { for zone in var.zones : zone => var.nat == "per-zone" ? zone : var.zones[0] if var.nat != "none" }

  # Where the registry of the region keeps image layers, and Amazon Linux its packages.
  layer_buckets = ["prod-${data.aws_region.this.region}-starport-layer-bucket", "al2023-repos-${data.aws_region.this.region}-de612dc2"]
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true # private names of endpoints

  tags = merge(var.tags, { Name = var.name })
}

# AWS makes one that lets everything through within itself; here it lets nothing through.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = "${var.name}-default-closed" })
}

resource "aws_subnet" "private" {
  for_each = local.zones

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = module.ranges.private[each.value]
  map_public_ip_on_launch = false

  tags = merge(var.tags, { Name = "${var.name}-private-${each.key}", tier = "private", "kubernetes.io/role/internal-elb" = "1" })
}

resource "aws_subnet" "intra" {
  for_each = local.zones

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = module.ranges.intra[each.value]
  map_public_ip_on_launch = false

  tags = merge(var.tags, { Name = "${var.name}-intra-${each.key}", tier = "intra" })
}

resource "aws_subnet" "public" {
  for_each = local.zones

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = module.ranges.public[each.value]
  map_public_ip_on_launch = false

  tags = merge(var.tags, { Name = "${var.name}-public-${each.key}", tier = "public", "kubernetes.io/role/elb" = "1" })
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = var.name })
}

resource "aws_eip" "nat" {
  for_each = toset(local.nat_zones)

  domain = "vpc"
  tags   = merge(var.tags, { Name = "${var.name}-nat-${each.key}" })
}

resource "aws_nat_gateway" "this" {
  for_each = toset(local.nat_zones)

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id
  tags          = merge(var.tags, { Name = "${var.name}-${each.key}" })

  depends_on = [aws_internet_gateway.this]
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = "${var.name}-public" })
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  for_each = local.zones

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public.id
}

# A table for each zone, so that the loss of one zone takes the way out of no other.
resource "aws_route_table" "private" {
  for_each = local.zones

  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = "${var.name}-private-${each.key}" })
}

resource "aws_route" "nat" {
  for_each = local.nat_of

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[each.value].id
}

resource "aws_route_table_association" "private" {
  for_each = local.zones

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[each.key].id
}

resource "aws_route_table" "intra" {
  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = "${var.name}-intra" })
}

resource "aws_route_table_association" "intra" {
  for_each = local.zones

  subnet_id      = aws_subnet.intra[each.key].id
  route_table_id = aws_route_table.intra.id
}
