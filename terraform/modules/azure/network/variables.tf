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

variable "cidr" {
  description = "Range of the virtual network."
  type        = string
}

variable "subnets" {
  description = "Ranges of the subnets. The gateway needs a /24 or larger, the API server a /28 or larger."
  type = object({
    nodes      = string
    endpoints  = string
    api_server = string
    gateway    = string
  })
  validation {
    condition     = try(tonumber(split("/", var.subnets.gateway)[1]) <= 24, false)
    error_message = "subnets.gateway is a /24 or larger: Application Gateway for Containers takes no smaller one."
  }
  validation {
    condition     = try(tonumber(split("/", var.subnets.api_server)[1]) <= 28, false)
    error_message = "subnets.api_server is a /28 or larger."
  }
}

variable "pod_cidr" {
  description = "Range of pods in the overlay; it lies outside the virtual network and may be the same in each cluster."
  type        = string
  default     = "10.244.0.0/16"
}

variable "backend_ports" {
  description = "Ports of pods that the gateway may reach."
  type        = list(number)
  default     = [3000]
  validation {
    condition     = length(var.backend_ports) > 0 && !contains(var.backend_ports, 27017)
    error_message = "backend_ports names at least one port, and never that of the database."
  }
}

variable "operator_cidrs" {
  description = "Ranges of the VPN or the runners that may reach the API server inside the network."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for range in var.operator_cidrs : try(tonumber(split("/", range)[1]) >= 16, false)])
    error_message = "operator_cidrs are ranges of /16 or smaller; the API server is not for everybody."
  }
}

variable "zones" {
  description = "Zones of the region, in which the way out has its address."
  type        = list(string)
  default     = ["1", "2", "3"]
}
