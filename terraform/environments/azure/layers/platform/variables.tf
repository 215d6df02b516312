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
  })
}

variable "platform" {
  description = "Rate limit of the edge (requests of one address in a minute) and mode of its firewall."
  type = object({
    requests_per_address = optional(number, 600)
    waf_mode             = optional(string, "Prevention")
  })
  default = {}
}

variable "tenants" {
  description = "Tenants by name, of ../tenants.yaml: namespace of the database (the name of the tenant when absent) and the service accounts that write, read and expire."
  type = map(object({
    namespace      = optional(string)
    writer         = optional(string)
    reader         = optional(string)
    expirer        = optional(string)
    retention_days = optional(number)
  }))
}

variable "network" {
  description = "The network, from its layer."
  type = object({
    subnet_ids           = map(string)
    pod_cidr             = string
    private_dns_zone_ids = map(string)
    workspace_id         = string
    action_group_id      = string
  })
}

variable "cluster" {
  description = "The cluster, from its layer."
  type = object({
    issuer               = string
    kubelet_principal_id = string
  })
}

variable "archive" {
  description = "The archive, from its layer."
  type = object({
    tenants = map(object({
      url         = string
      control_url = string
      identities  = map(object({ id = string, client_id = string }))
    }))
  })
}

variable "registry" {
  description = "The registry, from the data layer."
  type        = object({ id = string })
}

variable "subnet_join_role_id" {
  description = "Custom role that joins a subnet, from the bootstrap."
  type        = string
}
