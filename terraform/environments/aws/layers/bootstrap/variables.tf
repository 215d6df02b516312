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
  description = "Repository whose pipelines plan and apply, and regions beside the environment's own that they make keys in. The archive bucket is named before it exists, so that no pipeline but the drill's ever reads backups. `drill_tenant` is whose archive the weekly drill restores from; null: none."
  type = object({
    repository        = string
    repository_id     = string
    apply_environment = string
    create_provider   = optional(bool, true)
    push_images       = optional(bool, false)
    more_regions      = optional(list(string), [])
    drill_tenant      = optional(string)
  })
  validation {
    condition     = var.bootstrap.drill_tenant == null ? true : contains(keys(var.tenants), var.bootstrap.drill_tenant)
    error_message = "drill_tenant is none of the tenants."
  }
}

variable "tenants" {
  description = "Tenants by name, of ../tenants.yaml: here only for the prefix in the archive (the name, when absent)."
  type        = map(object({ prefix = optional(string) }))
  default     = {}
}
