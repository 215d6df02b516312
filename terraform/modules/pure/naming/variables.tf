variable "organisation" {
  description = "Short name of the organisation, part of names that must be unique in the world."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,7}$", var.organisation))
    error_message = "organisation is 2 to 8 lower-case letters and digits, beginning with a letter."
  }
}

variable "application" {
  description = "Short name of the application."
  type        = string
  default     = "tidemark"
  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.application))
    error_message = "application is 2 to 10 lower-case letters and digits, beginning with a letter."
  }
}

variable "environment" {
  description = "Environment, such as dev, staging, prod or restore."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.environment))
    error_message = "environment is 2 to 10 lower-case letters and digits, beginning with a letter."
  }
}

variable "region" {
  description = "Region of the cloud, such as eu-central-1 or westeurope."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.region))
    error_message = "region is the identifier of a region, such as eu-central-1 or westeurope."
  }
}

variable "suffix" {
  description = "Distinguishes what is made anew for a restore from what was there before; empty for what is made once."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^([a-z0-9]{4,8})?$", var.suffix))
    error_message = "suffix is empty or 4 to 8 lower-case letters and digits."
  }
}
