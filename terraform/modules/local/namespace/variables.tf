variable "suffix" {
  description = "What makes the namespace fresh: 4 to 8 lower-case letters and digits."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9]{4,8}$", var.suffix))
    error_message = "suffix is 4 to 8 lower-case letters and digits."
  }
}

variable "prefix" {
  description = "What the name of the namespace begins with: PREFIX-SUFFIX."
  type        = string
  default     = "restore"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,50}$", var.prefix))
    error_message = "prefix is lower-case letters, digits and -, and begins with a letter."
  }
}

variable "kubeconfig" {
  description = "Absolute path of the kubeconfig of the cluster."
  type        = string
  validation {
    condition     = startswith(var.kubeconfig, "/")
    error_message = "kubeconfig is an absolute path."
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

variable "pod_security" {
  description = "Pod Security level that the namespace enforces. The chart's pods hold to the strictest."
  type        = string
  default     = "restricted"
  validation {
    condition     = contains(["restricted", "baseline", "privileged"], var.pod_security)
    error_message = "pod_security is restricted, baseline or privileged."
  }
}

variable "secrets" {
  description = "Secrets that the namespace gets a copy of, as NAMESPACE/NAME: credentials of the archive, for example. What they hold is never in the state."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for one in var.secrets : can(regex("^[a-z0-9-]+/[a-z0-9.-]+$", one))])
    error_message = "secrets are NAMESPACE/NAME."
  }
}
