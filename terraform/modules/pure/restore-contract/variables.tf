variable "provider_name" {
  description = "aws, azure or local."
  type        = string
  validation {
    condition     = contains(["aws", "azure", "local"], var.provider_name)
    error_message = "provider_name is aws, azure or local."
  }
}

variable "environment" {
  description = "Name of the environment that was made."
  type        = string
}

variable "region" {
  description = "Region of the cluster."
  type        = string
}

variable "source_environment" {
  description = "Environment whose archive is restored; the environment itself outside of restores."
  type        = string
}

variable "created_at" {
  description = "When the environment was made, RFC 3339. Keep it in the state (terraform_data): a contract that changes with each plan says nothing."
  type        = string
  validation {
    condition     = can(timeadd(var.created_at, "0s"))
    error_message = "created_at is a time as in RFC 3339."
  }
}

variable "cluster" {
  description = "Kubernetes cluster and how a client signs in. `exec` runs a command that prints a token; `file` is a kubeconfig, whose path is args[0]. Null when there is none."
  type = object({
    name     = string
    endpoint = string
    ca_data  = string
    auth = object({
      kind    = string
      command = optional(string)
      args    = optional(list(string), [])
    })
  })
  default = null
  validation {
    condition     = var.cluster == null || contains(["exec", "file"], try(var.cluster.auth.kind, ""))
    error_message = "cluster.auth.kind is exec or file."
  }
  validation {
    condition     = try(var.cluster.auth.kind, "") != "exec" || try(length(var.cluster.auth.command) > 0, false)
    error_message = "cluster.auth of kind exec needs a command."
  }
}

variable "kube_context" {
  description = "Context of the kubeconfig that clients should use; null without a cluster."
  type        = string
  default     = null
}

variable "namespace" {
  description = "Kubernetes namespace of the database."
  type        = string
  default     = null
}

variable "storage_class" {
  description = "StorageClass of the database's volumes."
  type        = string
  default     = null
}

variable "node_pool_labels" {
  description = "Labels of the nodes that are meant for databases."
  type        = map(string)
  default     = {}
}

variable "workload_identity" {
  description = "How the pods get credentials of the archive. `identity` is a role ARN or a client id; `issuer` that of the new cluster, null where trust is not bound to one."
  type = object({
    kind            = string
    service_account = optional(string)
    identity        = optional(string)
    issuer          = optional(string)
  })
  default = { kind = "none" }
  validation {
    condition     = contains(["eks-pod-identity", "irsa", "aks-workload-identity", "none"], var.workload_identity.kind)
    error_message = "workload_identity.kind is eks-pod-identity, irsa, aks-workload-identity or none."
  }
  validation {
    condition     = var.workload_identity.kind == "none" || (try(length(var.workload_identity.service_account) > 0, false) && try(length(var.workload_identity.identity) > 0, false))
    error_message = "workload_identity needs service_account and identity, or the kind none."
  }
  validation {
    # Their trust is bound to the issuer of one cluster; without it nobody can see that it is that of the old one.
    condition     = !contains(["irsa", "aks-workload-identity"], var.workload_identity.kind) || try(length(var.workload_identity.issuer) > 0, false)
    error_message = "workload_identity of this kind needs the issuer of the new cluster."
  }
}

variable "archive" {
  description = "Archive to restore from: its URL as in docs/object-stores.md, its key, and how long objects are locked."
  type = object({
    url     = string
    kms_key = optional(string)
    object_lock = optional(object({
      mode = string
      days = number
    }))
  })
  validation {
    condition     = can(regex("^(s3|azblob|file)://", var.archive.url))
    error_message = "archive.url begins with s3://, azblob:// or file://."
  }
  validation {
    condition     = var.archive.object_lock == null || contains(["governance", "compliance"], try(var.archive.object_lock.mode, ""))
    error_message = "archive.object_lock.mode is governance or compliance."
  }
  validation {
    condition     = !can(regex("(?i)(sig=|secret|password|token|@)", var.archive.url))
    error_message = "archive.url holds no credentials."
  }
}

variable "registry" {
  description = "Registry of the images, and its repositories."
  type = object({
    host         = string
    repositories = list(string)
  })
  default = null
}

variable "ingress" {
  description = "How the API is reached from outside."
  type = object({
    kind    = string
    class   = optional(string)
    host    = optional(string)
    waf_acl = optional(string)
  })
  default = null
}

variable "chart" {
  description = "Whether a chart is to be installed before the restore, and its values. Secrets stand in it by the names of Kubernetes Secrets only."
  type = object({
    install = bool
    values  = optional(any, {})
  })
  default = { install = false }
}

variable "destination_uri" {
  description = "Connection string of the server to restore into, for provider local without a cluster. It holds no password."
  type        = string
  default     = null
  validation {
    condition     = var.destination_uri == null || can(regex("^mongodb(\\+srv)?://[^@]+$", var.destination_uri))
    error_message = "destination_uri is a MongoDB connection string without user and password."
  }
}
