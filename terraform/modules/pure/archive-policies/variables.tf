variable "bucket" {
  description = "Name of the archive bucket."
  type        = string
}

variable "prefix" {
  description = "Prefix of the tenant in the bucket, without slashes at its ends: its archive is s3://BUCKET/PREFIX."
  type        = string
  validation {
    # A star or question mark would be a pattern in a policy, and would open the prefixes of others.
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$", var.prefix))
    error_message = "prefix is one or more parts of letters, digits, dots, hyphens and underscores, with slashes between them."
  }
}

variable "kms_key_arn" {
  description = "ARN of the key that encrypts the bucket."
  type        = string
}

variable "longest_retention_days" {
  description = "The longest retention that a writer may give an object. Without a limit a stolen writer could lock objects, and their cost, for a hundred years."
  type        = number
  validation {
    condition     = var.longest_retention_days >= 1 && var.longest_retention_days <= 3650
    error_message = "longest_retention_days is 1 to 3650."
  }
}

variable "partition" {
  description = "Partition of the ARNs: aws, aws-us-gov or aws-cn."
  type        = string
  default     = "aws"
}
