variable "prefix" {
  description = "Path below which the repositories lie."
  type        = string
  default     = "tidemark"
}

variable "repositories" {
  description = "Repositories below the prefix."
  type        = set(string)
  default     = ["sidecar", "dr-cli", "mongod", "orders-api"]
}

variable "pull_accounts" {
  description = "Other accounts that may pull."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for account in var.pull_accounts : can(regex("^[0-9]{12}$", account))])
    error_message = "pull_accounts are account numbers of twelve digits; there is no `everybody`."
  }
}

variable "replica_region" {
  description = "Second region that images are replicated to, for a restore while this one is away; empty for none."
  type        = string
  default     = ""
}

variable "keep_images" {
  description = "Images to keep in each repository. An archive of years is of little use without the program that reads it."
  type        = number
  default     = 200
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
}
