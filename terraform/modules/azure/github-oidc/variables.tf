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

variable "repository" {
  description = "Repository of the workflows, as OWNER/NAME."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository is OWNER/NAME, without patterns."
  }
}

variable "apply_environment" {
  description = "GitHub environment whose jobs may apply; its reviewers are the gate. Plans are made in the environment of this name with `-plan` behind it."
  type        = string
}

variable "push_images" {
  description = "Make the identity of the release, whose jobs run in the environment `release-azure`."
  type        = bool
  default     = false
}

variable "drill" {
  description = "Make the identity of the weekly drill, whose jobs run in the environment `drill-` with `apply_environment` behind it. Its rights are given by ../backup-store."
  type        = bool
  default     = false
}

variable "scopes" {
  description = "Resource groups that are planned and applied, by a name. Never a subscription."
  type        = map(string)
  validation {
    condition     = alltrue([for scope in values(var.scopes) : can(regex("(?i)/resourceGroups/[^/]+$", scope))])
    error_message = "scopes are resource groups."
  }
}

variable "assignable_role_guids" {
  description = "Custom roles that whoever applies may assign, beside the built-in ones of the modules, as ../roles gives them."
  type        = list(string)
  default     = []
}

variable "lock_role_id" {
  description = "The custom role that sets locks, as ../roles gives it."
  type        = string
}
