output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "Range of the network."
  value       = var.cidr
}

output "zones" {
  description = "Zones, in the order of the subnets."
  value       = var.zones
}

output "private_subnet_ids" {
  description = "Subnets of nodes and pods by zone."
  value       = { for zone, subnet in aws_subnet.private : zone => subnet.id }
}

output "intra_subnet_ids" {
  description = "Subnets without a way out by zone."
  value       = { for zone, subnet in aws_subnet.intra : zone => subnet.id }
}

output "public_subnet_ids" {
  description = "Subnets of load balancers by zone."
  value       = { for zone, subnet in aws_subnet.public : zone => subnet.id }
}

output "s3_endpoint_id" {
  description = "Gateway endpoint of S3, which a bucket's policy can ask for."
  value       = aws_vpc_endpoint.s3.id
}
