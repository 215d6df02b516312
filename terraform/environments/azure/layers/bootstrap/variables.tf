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

variable "bootstrap" {
  description = "Repository whose pipelines plan and apply, the Entra groups of people who do, those of people who apply this layer, and runners outside the network. `drill_tenant` is whose archive the weekly drill restores from; null: none."
  type = object({
    repository              = string
    apply_environment       = string
    push_images             = optional(bool, false)
    operator_group_ids      = optional(map(string), {})
    administrator_group_ids = map(string)
    runner_ip_rules         = optional(list(string), [])
    drill_tenant            = optional(string)
  })
}
