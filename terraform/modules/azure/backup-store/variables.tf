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

variable "resource_group_id" {
  description = "Id of the resource group that the alarms watch."
  type        = string
}

variable "account_name" {
  description = "Name of the archive's storage account, unique in the world: 3 to 24 letters and digits."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.account_name))
    error_message = "account_name is 3 to 24 lower-case letters and digits."
  }
}

variable "control_account_name" {
  description = "Name of the storage account of leases, marks and pins."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.control_account_name)) && var.control_account_name != var.account_name
    error_message = "control_account_name is 3 to 24 lower-case letters and digits, and another than account_name."
  }
}

variable "replication" {
  description = "Copies: ZRS within the region, GZRS also in its pair."
  type        = string
  default     = "GZRS"
  validation {
    condition     = contains(["ZRS", "GZRS", "RAGZRS"], var.replication)
    error_message = "replication is ZRS, GZRS or RAGZRS: copies in one zone only are lost with it."
  }
}

variable "tenants" {
  description = "Tenants, by the name of their containers; a retention of their own where the common one does not do."
  type        = map(object({ retention_days = optional(number) }))
  validation {
    condition     = alltrue([for name in keys(var.tenants) : can(regex("^[a-z0-9]([a-z0-9]|-[a-z0-9]){2,62}$", name))])
    error_message = "A tenant's name is 3 to 63 lower-case letters, digits and single hyphens: it names containers."
  }
  validation {
    condition     = alltrue([for tenant in var.tenants : tenant.retention_days == null ? true : tenant.retention_days >= 1 && tenant.retention_days <= 3650])
    error_message = "retention_days is 1 to 3650."
  }
}

variable "roles" {
  description = "The custom roles, as ../roles gives them."
  type        = map(object({ id = string, holder = string, store = string, condition = optional(string) }))
  validation {
    # A role that may change something and is bound to no path is the writer's at the archive, where retention stands behind it. No other.
    condition     = alltrue([for name, role in var.roles : role.condition != null || name == "writer-archive"])
    error_message = "Every role but writer-archive has a condition."
  }
}

variable "principal_ids" {
  description = "Object ids of the identities, by TENANT/writer, TENANT/reader and TENANT/expirer."
  type        = map(string)
}

variable "more_readers" {
  description = "Identities beside the tenants' own that get the reader's rights at one tenant's containers, by a name: the weekly drill."
  type        = map(object({ tenant = string, principal_id = string }))
  default     = {}
  validation {
    condition     = alltrue([for reader in values(var.more_readers) : contains(keys(var.tenants), reader.tenant)])
    error_message = "more_readers names a tenant that is not in tenants."
  }
}

variable "retention_days" {
  description = "Days in which nothing that was written can be replaced or deleted. Not longer than the policy of `dr-cli expire`, or expired backups are paid for."
  type        = number
  default     = 14
  validation {
    condition     = var.retention_days >= 1 && var.retention_days <= 3650
    error_message = "retention_days is 1 to 3650."
  }
}

variable "locked_tenants" {
  description = "Tenants whose retention is locked FOR GOOD, each with the number of the change that approved it. Taking one out again is refused by Azure."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for change in values(var.locked_tenants) : can(regex("^[A-Z]{2,10}-[0-9]+$", change))])
    error_message = "Each locked tenant names the change that approved it, such as CHG-1234."
  }
  validation {
    condition     = length(setsubtract(keys(var.locked_tenants), keys(var.tenants))) == 0
    error_message = "locked_tenants names a tenant that is not in tenants."
  }
}

variable "object_retention_supported" {
  description = "Let single objects carry a retention of their own (`retention_days` in the archive's URL). Only when the account is made; changing it makes a new account."
  type        = bool
  default     = false
}

variable "soft_delete_days" {
  description = "Days in which what was deleted can be brought back."
  type        = number
  default     = 14
  validation {
    condition     = var.soft_delete_days >= 7 && var.soft_delete_days <= 365
    error_message = "soft_delete_days is 7 to 365."
  }
}

variable "change_feed_days" {
  description = "Days that the change feed is kept."
  type        = number
  default     = 90
}

variable "cool_after_days" {
  description = "Days after which objects move to the cool tier: cheaper to keep, dearer to read. Null: never."
  type        = number
  default     = null
  validation {
    condition     = var.cool_after_days == null ? true : var.cool_after_days >= 30
    error_message = "cool_after_days is 30 or more: the cool tier charges for 30 days anyway."
  }
}

variable "key_id" {
  description = "Key, without its version, that encrypts the accounts."
  type        = string
}

variable "key_resource_id" {
  description = "The same key as a scope of role assignments."
  type        = string
}

variable "endpoint_subnet_id" {
  description = "Subnet of the private endpoints."
  type        = string
}

variable "private_dns_zone_id" {
  description = "Private zone of blob storage."
  type        = string
}

variable "log_analytics_workspace_id" {
  description = "Workspace that takes the log of requests."
  type        = string
}

variable "action_group_id" {
  description = "Who is told."
  type        = string
}
