# A quarter of the network for each tier: nodes and pods (each zone a quarter of the half), then small ones. Nothing moves when a zone is added.
#
#   first half          private: nodes and pods, 4 x 1/8
#   third quarter       reserved for growth
#   last quarter        intra (endpoints, control plane) and public (load balancers, NAT), 1/64 each

locals {
  length = tonumber(split("/", var.cidr)[1])

  private = tolist([for zone in range(var.zones) : cidrsubnet(var.cidr, 3, zone)])
  intra   = tolist([for zone in range(var.zones) : cidrsubnet(var.cidr, 6, 48 + zone)])
  public  = tolist([for zone in range(var.zones) : cidrsubnet(var.cidr, 6, 56 + zone)])

  # First and last address as numbers, for the question whether two ranges overlap.
  ranges = {
    for range in distinct(concat([var.cidr], var.taken)) : range => {
      first = sum([for index, octet in split(".", cidrhost(range, 0)) : tonumber(octet) * pow(256, 3 - index)])
      size  = pow(2, 32 - tonumber(split("/", range)[1]))
    }
  }
  ours = local.ranges[var.cidr]
  overlapping = [
    for range in var.taken : range
    if local.ranges[range].first < local.ours.first + local.ours.size && local.ours.first < local.ranges[range].first + local.ranges[range].size
  ]
}
