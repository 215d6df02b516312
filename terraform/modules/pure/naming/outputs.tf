output "base" {
  description = "The common beginning of all names, without component and suffix."
  value       = local.base
}

output "suffix" {
  description = "What to append to a component's name: empty, or a hyphen and the suffix."
  value       = local.suffix
}

output "region_short" {
  description = "The region as it stands in names."
  value       = local.region_short
}

output "cluster" {
  description = "Name of the Kubernetes cluster; roles and log groups derive from it."
  value       = "${local.base}-k8s${local.suffix}"
  precondition {
    condition     = length("${local.base}-k8s${local.suffix}") <= 40
    error_message = "The cluster's name is longer than 40 characters, and roles named after it would pass IAM's 64: shorten organisation, application or environment."
  }
}

output "network" {
  description = "Name of the VPC or virtual network."
  value       = "${local.base}-net${local.suffix}"
}

output "archive" {
  description = "Name of the archive bucket (at most 63 characters, unique in the world)."
  value       = "${local.base}-archive${local.suffix}"
}

output "storage_account" {
  description = "Name of the archive's storage account on Azure: 3 to 24 letters and digits."
  value       = substr("${substr(local.compact, 0, 22 - length(var.suffix))}ar${var.suffix}", 0, 24)
}

output "container_registry" {
  description = "Name of the container registry on Azure: 5 to 50 letters and digits."
  value       = "${local.compact}acr"
}

output "key_vault" {
  description = "Name of the key vault on Azure: 3 to 24 letters, digits and hyphens, beginning with a letter."
  value       = "${substr(local.compact, 0, 21 - length(local.suffix))}-kv${local.suffix}"
}

output "repository_prefix" {
  description = "Path below which image repositories lie in a registry that is shared by environments."
  value       = var.application
}
