variable "cluster_name" {
  description = "Cluster whose pods get the roles; roles are named after it, so a restored cluster has roles of its own."
  type        = string
}

variable "cluster_arn" {
  description = "ARN of that cluster, to which trust is bound."
  type        = string
}

variable "bucket" {
  description = "Name of the archive bucket."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of the archive."
  type        = string
}

variable "longest_retention_days" {
  description = "The longest retention that a writer may give an object."
  type        = number
}

variable "tenants" {
  description = "Tenants by name: `namespace` and `prefix` of the archive (both the name, if not given), and the service account of each role; null gives nobody that role."
  type = map(object({
    namespace = optional(string)
    prefix    = optional(string)
    writer    = optional(string)
    reader    = optional(string)
    expirer   = optional(string)
  }))
  validation {
    condition     = alltrue([for name in keys(var.tenants) : can(regex("^[a-z][a-z0-9-]{0,12}[a-z0-9]$", name))])
    error_message = "Names of tenants are 2 to 14 lower-case letters, digits and hyphens: roles are named after them, too."
  }
  validation {
    # Two roles for one account: EKS takes one, and which it would be is chance.
    condition = alltrue([
      for tenant in values(var.tenants) : length(distinct(compact([tenant.writer, tenant.reader, tenant.expirer]))) == length(compact([tenant.writer, tenant.reader, tenant.expirer]))
    ])
    error_message = "The roles of a tenant go to different service accounts."
  }
  validation {
    # "shop" twice, or "shop" and "shop/eu": a policy for shop/* opens both.
    condition = alltrue(flatten([
      for one, a in var.tenants : [for other, b in var.tenants : one == other || !startswith("${coalesce(b.prefix, other)}/", "${coalesce(a.prefix, one)}/")]
    ]))
    error_message = "The prefix of a tenant is that of another or lies within it: one would read the backups of the other."
  }
}

variable "permissions_boundary_arn" {
  description = "Boundary of the roles that are made here: `workload` of pipeline-limits, without which a pipeline may make none; null where a person applies."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
}
