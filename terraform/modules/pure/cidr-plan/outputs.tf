output "private" {
  description = "Subnets of nodes and pods, one for each zone."
  value       = local.private
  precondition {
    condition     = length(local.overlapping) == 0
    error_message = "${var.cidr} overlaps ${join(", ", local.overlapping)}: choose another range."
  }
}

output "intra" {
  description = "Subnets without a way out, for endpoints and the control plane's interfaces, one for each zone."
  value       = local.intra
}

output "public" {
  description = "Subnets of load balancers and NAT, one for each zone."
  value       = local.public
}

output "addresses_per_zone" {
  description = "Addresses for nodes and pods in each zone."
  value       = pow(2, 32 - local.length - 3)
}
