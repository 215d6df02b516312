variable "application" {
  description = "Application the resources belong to."
  type        = string
  default     = "tidemark"
}

variable "environment" {
  description = "Environment the resources belong to."
  type        = string
}

variable "owner" {
  description = "Team that answers for the resources, as an address or a name that the on-call rota knows."
  type        = string
  validation {
    condition     = trimspace(var.owner) != ""
    error_message = "owner must say who answers for the resources."
  }
}

variable "cost_center" {
  description = "Where the costs are booked."
  type        = string
  validation {
    condition     = trimspace(var.cost_center) != ""
    error_message = "cost_center must say where the costs are booked."
  }
}

variable "data_class" {
  description = "Classification of the data: public, internal, confidential or restricted."
  type        = string
  default     = "confidential"
  validation {
    condition     = contains(["public", "internal", "confidential", "restricted"], var.data_class)
    error_message = "data_class is public, internal, confidential or restricted."
  }
}

variable "repository" {
  description = "Repository that describes the resources."
  type        = string
  default     = "tidemark"
}

variable "tenant" {
  description = "Tenant the resources belong to; empty for what tenants share."
  type        = string
  default     = ""
}

variable "restore_of" {
  description = "Environment of which these resources are a restore; empty outside of restores. Leftovers of a restore are found by it."
  type        = string
  default     = ""
}

variable "extra" {
  description = "More tags. They cannot replace the ones above."
  type        = map(string)
  default     = {}
}
