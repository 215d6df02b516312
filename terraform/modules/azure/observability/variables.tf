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

variable "subscription_resource_id" {
  description = "Subscription, as /subscriptions/ID, whose service health is watched."
  type        = string
}

variable "short_name" {
  description = "Name of the action group in messages: at most 12 characters."
  type        = string
  default     = "tidemark"
  validation {
    condition     = length(var.short_name) >= 1 && length(var.short_name) <= 12
    error_message = "short_name is 1 to 12 characters."
  }
}

variable "addresses" {
  description = "Addresses that are told."
  type        = list(string)
  validation {
    condition     = length(var.addresses) > 0
    error_message = "addresses names somebody: an alarm that nobody hears is none."
  }
}

variable "retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 90
  validation {
    condition     = var.retention_days >= 30 && var.retention_days <= 730
    error_message = "retention_days is 30 to 730."
  }
}

variable "daily_quota_gb" {
  description = "Most that a day may bring, in GB; -1: no limit. Beyond it logs are lost, the audit's too."
  type        = number
  default     = -1
}

variable "budgets" {
  description = "Monthly budgets of resource groups, by a name."
  type        = map(object({ resource_group_id = string, amount = number }))
  default     = {}
}

variable "budget_start" {
  description = "First day of a month from which budgets count."
  type        = string
  default     = "2026-12-01T00:00:00Z"
}
