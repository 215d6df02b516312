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

variable "data" {
  description = "Lock, replica and life of the archive, and the image repositories; see modules/aws/backup-store and modules/aws/registry."
  type = object({
    lock = object({
      mode = string
      days = number
    })
    compliance_is_final = optional(bool, false)
    noncurrent_days     = optional(number, 30)
    cold_after_days     = optional(number)
    replica = optional(object({
      region        = string
      storage_class = optional(string)
    }))
    break_glass_arns = optional(list(string), [])
    image_accounts   = optional(list(string), [])
  })
}

variable "tenants" {
  description = "Tenants by name, of ../tenants.yaml."
  type = map(object({
    prefix = optional(string)
  }))
}
