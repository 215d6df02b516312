variable "name" {
  description = "Beginning of the names of the roles."
  type        = string
}

variable "repository" {
  description = "Repository on GitHub, owner/name."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository is owner/name, without patterns: `owner/*` would trust every repository that is made there."
  }
}

variable "repository_id" {
  description = "Number of the repository. A name can be given up and taken by somebody else; the number cannot."
  type        = string
  validation {
    condition     = can(regex("^[0-9]+$", var.repository_id))
    error_message = "repository_id is a number (gh api repos/OWNER/NAME --jq .id)."
  }
}

variable "apply_environment" {
  description = "GitHub environment whose reviewers let a job apply. Plans are made in the environment of this name with `-plan` behind it."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+$", var.apply_environment))
    error_message = "apply_environment is the name of an environment, without patterns."
  }
}

variable "state_bucket" {
  description = "Bucket of Terraform's states."
  type        = string
}

variable "state_kms_key_arn" {
  description = "Key of the states."
  type        = string
}

variable "apply_policy_arns" {
  description = "Managed policies of the role that applies, by a name; pipeline-limits makes them."
  type        = map(string)
}

variable "permissions_boundary_arns" {
  description = "Boundaries by role, plan and apply; pipeline-limits makes them."
  type        = map(string)
  validation {
    condition     = alltrue([for role in ["plan", "apply"] : contains(keys(var.permissions_boundary_arns), role)])
    error_message = "permissions_boundary_arns has plan and apply: without the first code of a pull request reads data, without the second a pipeline makes itself an administrator."
  }
}

variable "archive_bucket_arns" {
  description = "Archive buckets: the role that applies may configure them, and read and delete no backup."
  type        = list(string)
  default     = []
}

variable "push_repository_arns" {
  description = "Image repositories that a release pushes to; empty: no role for it."
  type        = list(string)
  default     = []
}

variable "drill_policy" {
  description = "What the weekly drill may do, as JSON: the reader of one archive, as ../../pure/archive-policies gives it. Null: no role for it."
  type        = string
  default     = null
}

variable "create_provider" {
  description = "Make the account's OIDC provider of GitHub. There is one for each account: false when another environment has made it."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
}
