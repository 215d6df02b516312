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

variable "vault_name" {
  description = "Name of the vault, unique in the world: 3 to 24 letters, digits and hyphens."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.vault_name))
    error_message = "vault_name is 3 to 24 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "tenant_id" {
  description = "Entra tenant of the vault."
  type        = string
}

variable "administrator_object_id" {
  description = "Object id of who applies this configuration and makes the keys."
  type        = string
}

variable "keys" {
  description = "Keys to make, by name; `use` is wrap (storage, disks, images) or encrypt (etcd)."
  type        = map(object({ use = optional(string, "wrap"), rotate = optional(bool, true) }))
  validation {
    condition     = alltrue([for key in var.keys : contains(["wrap", "encrypt"], key.use)])
    error_message = "use is wrap or encrypt."
  }
}

variable "hardware_keys" {
  description = "Keep keys in hardware security modules (premium)."
  type        = bool
  default     = true
}

variable "endpoint_subnet_id" {
  description = "Subnet of the private endpoint."
  type        = string
}

variable "private_dns_zone_id" {
  description = "Private zone of vaults."
  type        = string
}

variable "log_analytics_workspace_id" {
  description = "Workspace that takes the audit log of the vault."
  type        = string
}

variable "keep" {
  description = "Refuse to delete the vault."
  type        = bool
  default     = true
}
