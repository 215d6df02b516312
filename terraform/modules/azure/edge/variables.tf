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

variable "gateway_subnet_id" {
  description = "Delegated subnet of the gateway."
  type        = string
}

variable "requests_per_address" {
  description = "Requests that one address may make in a minute."
  type        = number
  default     = 600
  validation {
    condition     = var.requests_per_address >= 10 && var.requests_per_address <= 100000
    error_message = "requests_per_address is 10 to 100000."
  }
}

variable "waf_mode" {
  description = "Prevention, or Detection while rules are tuned."
  type        = string
  default     = "Prevention"
  validation {
    condition     = contains(["Prevention", "Detection"], var.waf_mode)
    error_message = "waf_mode is Prevention or Detection."
  }
}

variable "log_analytics_workspace_id" {
  description = "Workspace that takes access and firewall logs."
  type        = string
}

variable "subnet_join_role_id" {
  description = "The custom role that joins a subnet, as ../roles gives it."
  type        = string
}

variable "node_groups" {
  description = "Resource groups of the cluster's nodes, by a name, which the controller may then read. Empty: an owner gives that right."
  type        = map(string)
  default     = {}
}
