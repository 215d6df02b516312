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

variable "network" {
  description = "Range and zones of the network; see modules/aws/network."
  type = object({
    cidr          = string
    zones         = list(string)
    taken         = optional(list(string), [])
    nat           = optional(string, "per-zone")
    flow_log_days = optional(number, 90)
  })
}
