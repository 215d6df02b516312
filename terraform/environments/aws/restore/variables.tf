variable "source_environment" {
  description = "Environment whose archive is restored."
  type        = string
}

variable "suffix" {
  description = "What makes all names of this restore fresh: 4 to 8 lower-case letters and digits, another for each restore."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9]{4,8}$", var.suffix))
    error_message = "suffix is 4 to 8 lower-case letters and digits. Without one a restore would adopt what is there."
  }
}

variable "region" {
  description = "Region to restore into; another than the archive's when that one is lost (then archive names the replica)."
  type        = string
}

variable "account_id" {
  description = "Account to restore into."
  type        = string
}

variable "organisation" {
  description = "Short name of the organisation."
  type        = string
}

variable "application" {
  description = "Short name of the application."
  type        = string
  default     = "tidemark"
}

variable "owner" {
  description = "Who answers for this restore."
  type        = string
}

variable "cost_center" {
  description = "Where its costs are booked."
  type        = string
}

variable "data_class" {
  description = "Classification of the restored data."
  type        = string
  default     = "confidential"
}

variable "tenant" {
  description = "Tenant to restore: `name`, and where they differ from it, its Kubernetes `namespace`, the `release` of the chart and the `prefix` of its archive."
  type = object({
    name      = string
    namespace = optional(string)
    release   = optional(string)
    prefix    = optional(string)
  })
}

variable "archive" {
  description = "The archive to read: the output `archive` of the source's 30-data, or its `replica`. Given and not looked up, because in a disaster the source's state may be gone, too."
  type = object({
    bucket      = string
    region      = string
    kms_key_arn = string
    lock = optional(object({
      mode = string
      days = number
    }))
  })
}

variable "resume_backups" {
  description = "Give the restored database a role that writes, and a new lineage in the same archive. Off for drills: a drill must not add to what it proves."
  type        = bool
  default     = false
  validation {
    condition     = !var.resume_backups || var.archive.lock != null
    error_message = "resume_backups needs archive.lock: what is written anew is locked like the rest."
  }
}

variable "network" {
  description = "Range and zones of the fresh network. `taken` names those it must be able to reach or be reached from."
  type = object({
    cidr  = string
    zones = list(string)
    taken = optional(list(string), [])
    nat   = optional(string, "single")
  })
}

variable "cluster" {
  description = "Version, nodes and access of the fresh cluster; see modules/aws/eks."
  type = object({
    kubernetes_version = optional(string, "1.34")
    api_client_cidrs   = optional(list(string), [])
    addon_versions     = optional(map(string), {})
    access = map(object({
      principal_arn = string
      groups        = optional(list(string), [])
      policies      = optional(map(list(string)), {})
    }))
    system_nodes = optional(object({
      instance_types = optional(list(string))
      min            = optional(number)
      max            = optional(number)
      disk_gib       = optional(number)
    }), {})
    data_nodes = optional(object({
      instance_types = optional(list(string))
      min            = optional(number)
      max            = optional(number)
      disk_gib       = optional(number)
    }), {})
  })
  validation {
    condition     = length(var.cluster.access) > 0
    error_message = "cluster.access is empty: nobody, dr-cli included, could reach the cluster that is made."
  }
}

variable "registry" {
  description = "Registry of the images, in the region of the restore where it is replicated."
  type = object({
    host         = string
    repositories = list(string)
  })
}

variable "edge" {
  description = "Make a web ACL and name the host of the API; null when the API is not to be reached from outside, as in drills."
  type = object({
    host                 = string
    requests_per_address = optional(number, 2000)
  })
  default = null
}

variable "permissions_boundary_arn" {
  description = "Boundary of the roles that are made here, where who applies may make none without; null else."
  type        = string
  default     = null
}

variable "install_chart" {
  description = "Whether dr-cli installs the chart before it restores."
  type        = bool
  default     = true
}

variable "chart_values" {
  description = "More values of the chart, by its parts; they come over those that this root knows (charts/tidemark/README.md)."
  type        = any
  default     = {}
}
