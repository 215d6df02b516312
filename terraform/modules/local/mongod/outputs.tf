locals {
  hosts = try([for member, port in terraform_data.members.output.ports : "127.0.0.1:${port}"], [])
}

output "destination_uri" {
  description = "Connection string of the set. Nobody needs a password: it listens on the loopback address only."
  value       = length(local.hosts) == 0 ? null : "mongodb://${join(",", local.hosts)}/?replicaSet=${var.replica_set}"
}

output "hosts" {
  description = "Its members, as host:port."
  value       = local.hosts
}

output "path" {
  description = "The folder that holds everything; it goes with terraform destroy."
  value       = local.path
}
