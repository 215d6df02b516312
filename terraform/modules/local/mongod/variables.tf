variable "suffix" {
  description = "What makes the folder fresh: 4 to 8 lower-case letters and digits."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9]{4,8}$", var.suffix))
    error_message = "suffix is 4 to 8 lower-case letters and digits."
  }
}

variable "folder" {
  description = "An absolute path of a folder that is there; the place becomes `tidemark-restore-SUFFIX` in it."
  type        = string
  validation {
    condition     = can(regex("^/[^\\n]*[^/\\n]$", var.folder))
    error_message = "folder is an absolute path without a slash at its end."
  }
}

variable "mongod" {
  description = "Path of the mongod to start; scripts/fetch-mongod.sh prints one."
  type        = string
  validation {
    condition     = startswith(var.mongod, "/")
    error_message = "mongod is an absolute path. scripts/fetch-mongod.sh prints that of the pinned one."
  }
}

variable "members" {
  description = "Members of the set: 1 or 3."
  type        = number
  default     = 1
  validation {
    condition     = contains([1, 3], var.members)
    error_message = "members is 1 or 3."
  }
}

variable "replica_set" {
  description = "Name of the replica set."
  type        = string
  default     = "restored"
  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+$", var.replica_set))
    error_message = "replica_set is letters, digits, - and _."
  }
}
