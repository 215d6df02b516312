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

variable "network" {
  description = "Range and zones of the network, who reaches the API server, and where logs and alarms go."
  type = object({
    cidr            = string
    taken           = optional(list(string), [])
    zones           = optional(list(string), ["1", "2", "3"])
    operator_cidrs  = optional(list(string), [])
    log_days        = optional(number, 90)
    alarm_addresses = list(string)
  })
}
