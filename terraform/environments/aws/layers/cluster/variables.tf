variable "common" {
  description = "What all layers of an environment share: names, tags, region."
  type = object({
    organisation = string
    application  = optional(string, "tidemark")
    environment  = string
    region       = string
    owner        = string
    cost_center  = string
    repository   = optional(string, "tidemark")
    data_class   = optional(string, "confidential")

    permissions_boundary_arn = optional(string)
  })
}

variable "cluster" {
  description = "Version, nodes and access of the cluster; see modules/aws/eks."
  type = object({
    kubernetes_version  = optional(string, "1.34")
    api_client_cidrs    = optional(list(string), [])
    deletion_protection = optional(bool, true)
    log_days            = optional(number, 90)
    addon_versions      = optional(map(string), {})
    access = optional(map(object({
      principal_arn = string
      groups        = optional(list(string), [])
      policies      = optional(map(list(string)), {})
    })), {})
    system_nodes = optional(object({
      instance_types = optional(list(string))
      min            = optional(number)
      max            = optional(number)
      disk_gib       = optional(number)
    }), {})
    data_nodes = optional(object({
      instance_types = optional(list(string))
      min            = optional(number)
      max            = optional(number)
      disk_gib       = optional(number)
    }), {})
  })
}

variable "network" {
  description = "The network, from its layer."
  type = object({
    private_subnet_ids = map(string)
    intra_subnet_ids   = map(string)
  })
}
