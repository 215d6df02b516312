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

variable "data" {
  description = "Copies and retention of the archive, see modules/azure/backup-store; regions with a copy of the registry."
  type = object({
    replication                = optional(string, "GZRS")
    retention_days             = optional(number, 14)
    locked_tenants             = optional(map(string), {})
    object_retention_supported = optional(bool, false)
    soft_delete_days           = optional(number, 14)
    cool_after_days            = optional(number)
    registry_replica_regions   = optional(list(string), [])
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

variable "roles" {
  description = "Custom roles at the archive, from the bootstrap."
  type        = map(object({ id = string, holder = string, store = string, condition = optional(string) }))
}

variable "drill" {
  description = "Who drills every week from which tenant's archive, from the bootstrap; null where nobody does."
  type        = object({ tenant = string, principal_id = string })
  default     = null
}

variable "release_principal_id" {
  description = "Object id of the identity that pushes images, from the bootstrap; null where none does."
  type        = string
  default     = null
}
