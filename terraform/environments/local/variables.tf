variable "flavour" {
  description = "`mongod`: a replica set of processes on this machine. `kubernetes`: a namespace of a cluster that is there."
  type        = string
  default     = "mongod"
  validation {
    condition     = contains(["mongod", "kubernetes"], var.flavour)
    error_message = "flavour is mongod or kubernetes."
  }
}

variable "suffix" {
  description = "What makes all names of this restore fresh: 4 to 8 lower-case letters and digits, another for each restore."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9]{4,8}$", var.suffix))
    error_message = "suffix is 4 to 8 lower-case letters and digits. Without one a restore would adopt what is there."
  }
}

variable "source_environment" {
  description = "Environment whose archive is restored."
  type        = string
  default     = "local"
}

variable "archive_url" {
  description = "Archive to restore from: its URL as in docs/object-stores.md, without credentials."
  type        = string
}

variable "members" {
  description = "Members of the replica set: 1 or 3."
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
}

variable "mongod" {
  description = "Path of the mongod to start; scripts/fetch-mongod.sh prints one. Required for flavour mongod."
  type        = string
  default     = null
  validation {
    condition     = var.flavour != "mongod" || can(regex("^/", var.mongod))
    error_message = "Flavour mongod needs mongod, an absolute path. scripts/fetch-mongod.sh prints that of the pinned one."
  }
}

variable "folder" {
  description = "Absolute path of a folder that is there, for `tidemark-restore-SUFFIX`, which holds everything. Required for flavour mongod."
  type        = string
  default     = null
  validation {
    condition     = var.flavour != "mongod" || can(regex("^/[^\\n]*[^/\\n]$", var.folder))
    error_message = "Flavour mongod needs folder, an absolute path without a slash at its end."
  }
}

variable "kubeconfig" {
  description = "Path of the kubeconfig of the cluster. Required for flavour kubernetes."
  type        = string
  default     = null
  validation {
    condition     = var.flavour != "kubernetes" || can(regex("^/", var.kubeconfig))
    error_message = "Flavour kubernetes needs kubeconfig, an absolute path."
  }
}

variable "context" {
  description = "Context of the kubeconfig; its current one when null."
  type        = string
  default     = null
}

variable "kubectl" {
  description = "kubectl to use: a path, or a name that is found on PATH."
  type        = string
  default     = "kubectl"
}

variable "namespace" {
  description = "What the name of the namespace begins with; the suffix comes behind it."
  type        = string
  default     = "restore"
}

variable "storage_class" {
  description = "StorageClass of the database's volumes; the cluster's default when null."
  type        = string
  default     = null
}

variable "secrets" {
  description = "Secrets of the cluster that the namespace gets a copy of, as NAMESPACE/NAME; name them in chart_values, such as mongodb.archive.credentials.existingSecret."
  type        = list(string)
  default     = []
}

variable "install_chart" {
  description = "Whether dr-cli installs the chart before it restores; for flavour kubernetes."
  type        = bool
  default     = true
}

variable "chart_values" {
  description = "More values of the chart, by its parts; they come over those that this root knows (charts/tidemark/README.md)."
  type        = any
  default     = {}
}
