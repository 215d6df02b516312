variable "name" {
  description = "Name of the cluster; roles and log groups derive from it."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,39}$", var.name))
    error_message = "name is 3 to 40 lower-case letters, digits and hyphens: roles named after it have 64 characters at most."
  }
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes. The charts are tested with 1.31 to 1.34."
  type        = string
  default     = "1.34"
  validation {
    condition     = can(regex("^1\\.(3[1-9])$", var.kubernetes_version))
    error_message = "kubernetes_version is a minor version from 1.31 on, such as 1.34."
  }
}

variable "control_plane_subnet_ids" {
  description = "Subnets of the control plane's interfaces, in at least two zones."
  type        = list(string)
}

variable "node_subnet_ids" {
  description = "Subnets of the nodes by zone."
  type        = map(string)
}

variable "api_client_cidrs" {
  description = "Ranges from which the API server's private endpoint may be reached, beside the nodes: VPN, build agents."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for cidr in var.api_client_cidrs : can(regex("^(10\\.|192\\.168\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.)", cidr))])
    error_message = "api_client_cidrs are private ranges: the API server is not for the internet."
  }
}

variable "access" {
  description = <<-EOT
    Who may do what in the cluster, by a name of one's own: `principal_arn` an IAM role, `policies` access policies of EKS (AmazonEKSClusterAdminPolicy, AmazonEKSViewPolicy, …)
    with namespaces (none: the whole cluster), `groups` Kubernetes groups that role bindings name.
  EOT
  type = map(object({
    principal_arn = string
    groups        = optional(list(string), [])
    policies      = optional(map(list(string)), {})
  }))
  default = {}
  validation {
    condition     = alltrue([for one in values(var.access) : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/", one.principal_arn))])
    error_message = "access is for roles: users have long-lived keys."
  }
}

variable "system_nodes" {
  description = "Nodes of everything but databases."
  type = object({
    instance_types = optional(list(string), ["m7i.large"])
    min            = optional(number, 2)
    max            = optional(number, 6)
    disk_gib       = optional(number, 50)
  })
  default = {}
}

variable "data_nodes" {
  description = "Nodes of databases: one group for each zone, because a volume stays in its zone. Sizes are those of each zone."
  type = object({
    instance_types = optional(list(string), ["r7i.xlarge"])
    min            = optional(number, 1)
    max            = optional(number, 3)
    disk_gib       = optional(number, 50)
  })
  default = {}
}

variable "addon_versions" {
  description = "Versions of addons; the default of EKS for those that are not named. Pin them in production: a plan then shows the change."
  type        = map(string)
  default     = {}
}

variable "service_cidr" {
  description = "Range of Services."
  type        = string
  default     = "172.20.0.0/16"
}

variable "log_days" {
  description = "Days for which logs of the control plane are kept."
  type        = number
  default     = 90
}

variable "deletion_protection" {
  description = "Refuse to delete the cluster. Off for what is made for a drill."
  type        = bool
  default     = true
}

variable "permissions_boundary_arn" {
  description = "Boundary of the roles that are made here: `workload` of pipeline-limits, without which a pipeline may make none; null where a person applies."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
}
