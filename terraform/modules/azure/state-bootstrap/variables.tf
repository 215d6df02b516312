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

variable "account_name" {
  description = "Name of the storage account, unique in the world: 3 to 24 letters and digits."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.account_name))
    error_message = "account_name is 3 to 24 lower-case letters and digits."
  }
}

variable "writers" {
  description = "Who applies layers, by a name; type is ServicePrincipal or Group."
  type        = map(object({ object_id = string, type = optional(string, "ServicePrincipal") }))
}

variable "readers" {
  description = "Who plans and changes nothing, not even a lock, by a name that no writer has."
  type        = map(object({ object_id = string, type = optional(string, "ServicePrincipal") }))
  default     = {}
}

variable "administrator_group_ids" {
  description = "Groups of the people who apply the bootstrap, by a name that no reader or writer has: they alone write its state."
  type        = map(string)
  validation {
    condition     = length(var.administrator_group_ids) > 0
    error_message = "administrator_group_ids is empty: nobody could apply the bootstrap again."
  }
  validation {
    condition     = length(setintersection(keys(var.administrator_group_ids), concat(keys(var.readers), keys(var.writers)))) == 0
    error_message = "A name of administrator_group_ids is that of a reader or writer: one of their rights would replace the other."
  }
}

variable "runner_ip_rules" {
  description = "Public addresses of runners outside the network. Empty: the account has no public address at all."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for rule in var.runner_ip_rules : !contains(["0.0.0.0", "0.0.0.0/0"], rule)])
    error_message = "runner_ip_rules never names everybody."
  }
}
