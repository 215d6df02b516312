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

variable "tenants" {
  description = "Names of the tenants."
  type        = set(string)
}
