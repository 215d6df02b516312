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

variable "tenant_id" {
  description = "Entra tenant that people sign in with."
  type        = string
}

variable "kubernetes_version" {
  description = "Minor version at creation, such as 1.33; the upgrade channel moves it later."
  type        = string
  validation {
    condition     = can(regex("^1\\.(3[3-9]|[4-9][0-9])(\\.[0-9]+)?$", var.kubernetes_version))
    error_message = "kubernetes_version is 1.33 or newer: the charts use native sidecars."
  }
}

variable "private" {
  description = "Give the API server an address inside the network only."
  type        = bool
  default     = true
}

variable "authorized_ip_ranges" {
  description = "Ranges that reach the API server when it is public; never everybody."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for range in var.authorized_ip_ranges : try(tonumber(split("/", range)[1]) >= 16, false)])
    error_message = "authorized_ip_ranges are ranges of /16 or smaller."
  }
}

variable "admin_group_ids" {
  description = "Entra groups with full rights in the cluster: the break-glass group. Others get roles by namespace."
  type        = list(string)
}

variable "node_subnet_id" {
  description = "Subnet of nodes."
  type        = string
}

variable "api_server_subnet_id" {
  description = "Delegated subnet of the API server's interfaces."
  type        = string
}

variable "pod_cidr" {
  description = "Range of pods in the overlay."
  type        = string
  default     = "10.244.0.0/16"
}

variable "service_cidr" {
  description = "Range of Services; seen inside the cluster only."
  type        = string
  default     = "10.245.0.0/20"
}

variable "zones" {
  description = "Zones of the region; one data pool each."
  type        = list(string)
  default     = ["1", "2", "3"]
}

variable "system_nodes" {
  description = "Nodes of the cluster's own parts."
  type = object({
    vm_size  = optional(string, "Standard_D4ds_v5")
    min      = optional(number, 3)
    max      = optional(number, 5)
    disk_gib = optional(number, 100)
  })
  default = {}
}

variable "data_nodes" {
  description = "Nodes of the database, counted for each zone. Transparent huge pages: never up to MongoDB 7.0, always from 8.0."
  type = object({
    vm_size               = optional(string, "Standard_E4s_v5")
    min                   = optional(number, 1)
    max                   = optional(number, 3)
    disk_gib              = optional(number, 128)
    transparent_huge_page = optional(string, "never")
  })
  default = {}
}

variable "general_nodes" {
  description = "Nodes of everything else."
  type = object({
    vm_size  = optional(string, "Standard_D4s_v5")
    min      = optional(number, 2)
    max      = optional(number, 6)
    disk_gib = optional(number, 128)
  })
  default = {}
}

variable "maintenance" {
  description = "Weekly window, in UTC, in which Azure may upgrade the cluster and its nodes."
  type        = object({ day = optional(string, "Sunday"), start = optional(string, "02:00") })
  default     = {}
}

variable "etcd_key_id" {
  description = "Key, with its version, that encrypts Secrets in etcd."
  type        = string
}

variable "etcd_key_resource_id" {
  description = "The same key as a scope of role assignments."
  type        = string
}

variable "disk_key_id" {
  description = "Key that encrypts disks."
  type        = string
}

variable "disk_key_resource_id" {
  description = "The same key as a scope of role assignments."
  type        = string
}

variable "registry_ids" {
  description = "Registries that nodes pull from, by a name."
  type        = map(string)
  default     = {}
}

variable "log_analytics_workspace_id" {
  description = "Workspace that takes the control plane's logs."
  type        = string
}

variable "defender_enabled" {
  description = "Let Defender for Containers watch the cluster; it is paid by core."
  type        = bool
  default     = true
}
