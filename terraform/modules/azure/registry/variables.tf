variable "name" {
  description = "Beginning of the names of all resources."
  type        = string
}

variable "resource_group_name" {
  description = "Resource group that the resources are made in."
  type        = string
}

variable "location" {
  description = "Region, such as westeurope."
  type        = string
}

variable "tags" {
  description = "Tags of every resource that takes some; azurerm has no default tags."
  type        = map(string)
}

variable "registry_name" {
  description = "Name of the registry, unique in the world: 5 to 50 letters and digits."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9]{5,50}$", var.registry_name))
    error_message = "registry_name is 5 to 50 lower-case letters and digits."
  }
}

variable "key_id" {
  description = "Key, without its version, that encrypts the images."
  type        = string
}

variable "key_resource_id" {
  description = "The same key as a scope of role assignments."
  type        = string
}

variable "untagged_retention_days" {
  description = "Days that manifests without a tag are kept."
  type        = number
  default     = 30
  validation {
    condition     = var.untagged_retention_days >= 7 && var.untagged_retention_days <= 365
    error_message = "untagged_retention_days is 7 to 365: a rollback may need what a tag was moved away from."
  }
}

variable "quarantine_enabled" {
  description = "Let nobody pull an image until a scanner has passed it; needs such a scanner."
  type        = bool
  default     = false
}

variable "replica_regions" {
  description = "Regions that hold a copy of the registry: a restore after the loss of a region pulls there."
  type        = list(string)
  default     = []
}

variable "push_principal_ids" {
  description = "Object ids of who pushes images (the release pipeline), by a name."
  type        = map(string)
  default     = {}
}

variable "endpoint_subnet_id" {
  description = "Subnet of the private endpoint."
  type        = string
}

variable "private_dns_zone_id" {
  description = "Private zone of registries."
  type        = string
}

variable "log_analytics_workspace_id" {
  description = "Workspace that takes the log of sign-ins, pushes and pulls."
  type        = string
}
