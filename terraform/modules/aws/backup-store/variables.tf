variable "bucket" {
  description = "Name of the archive bucket, unique in the world."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,54}[a-z0-9]$", var.bucket))
    error_message = "bucket is 3 to 56 lower-case letters, digits and hyphens; names of its log and replica buckets are made from it."
  }
}

variable "lock" {
  description = "Object Lock of what is archived: `mode` governance (a break-glass role can undo it) or compliance (nobody can, not even Amazon), and `days`."
  type = object({
    mode = string
    days = number
  })
  validation {
    condition     = contains(["governance", "compliance"], var.lock.mode)
    error_message = "lock.mode is governance or compliance."
  }
  validation {
    condition     = var.lock.days >= 1 && var.lock.days <= 3650 && floor(var.lock.days) == var.lock.days
    error_message = "lock.days is 1 to 3650."
  }
}

variable "compliance_is_final" {
  description = "Say so when the mode is compliance: what is written stays, and is paid for, until its day, whatever happens to the account."
  type        = bool
  default     = false
  validation {
    condition     = var.lock.mode != "compliance" || var.compliance_is_final
    error_message = "Mode compliance cannot be undone by anybody. Set compliance_is_final = true to have it."
  }
}

variable "noncurrent_days" {
  description = "Days after which what was replaced or deleted is gone for good, unless it is locked for longer."
  type        = number
  default     = 30
  validation {
    condition     = var.noncurrent_days >= 7
    error_message = "noncurrent_days is 7 or more: it is the time in which a wrong deletion can be noticed."
  }
}

variable "cold_after_days" {
  description = "Days after which large objects move to Glacier Instant Retrieval (a sixth of the price, read at once); null: never. 90 days are charged at least, so it is for archives that are kept for longer."
  type        = number
  default     = null
}

variable "replica" {
  description = "Second region: `region`, and `storage_class` there. Null: no replica, and a lost region loses the backups."
  type = object({
    region        = string
    storage_class = optional(string, "STANDARD_IA")
  })
  default = null
}

variable "break_glass_arns" {
  description = "Roles that may go around a governance lock and delete the key, with a second factor. Empty: nobody may."
  type        = list(string)
  default     = []
}

variable "log_days" {
  description = "Days for which access logs are kept."
  type        = number
  default     = 365
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
