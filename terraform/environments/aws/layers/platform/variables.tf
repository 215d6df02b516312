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

variable "platform" {
  description = "Rate limit of the edge, and where alarms go."
  type = object({
    requests_per_address = optional(number, 2000)
    alarm_addresses      = optional(list(string), [])
  })
  default = {}
}

variable "tenants" {
  description = "Tenants by name, of ../tenants.yaml; see modules/aws/backup-access."
  type = map(object({
    namespace = optional(string)
    prefix    = optional(string)
    writer    = optional(string)
    reader    = optional(string)
    expirer   = optional(string)
  }))
}

variable "network" {
  description = "The network, from its layer."
  type        = object({ vpc_id = string })
}

variable "cluster" {
  description = "The cluster, from its layer."
  type = object({
    name = string
    arn  = string
  })
}

variable "archive" {
  description = "The archive, from its layer."
  type = object({
    bucket      = string
    kms_key_arn = string
    lock        = object({ mode = string, days = number })
    replica = optional(object({
      bucket = string
      region = string
    }))
  })
}
