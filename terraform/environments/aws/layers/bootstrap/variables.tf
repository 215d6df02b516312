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
  description = "Repository whose pipelines plan and apply, and regions beside the environment's own that they make keys in. The archive bucket is named before it exists, so that no pipeline ever reads backups."
  type = object({
    repository        = string
    repository_id     = string
    apply_environment = string
    create_provider   = optional(bool, true)
    push_images       = optional(bool, false)
    more_regions      = optional(list(string), [])
  })
}
