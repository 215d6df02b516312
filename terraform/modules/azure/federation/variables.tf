variable "issuer" {
  description = "Issuer of the cluster's tokens, exactly as they name it: AKS's ends with a slash."
  type        = string
  validation {
    condition     = can(regex("^https://[^/]+/.*/$", var.issuer))
    error_message = "issuer is an https address that ends with a slash, as AKS gives it; without the slash no token matches."
  }
}

variable "bindings" {
  description = "Service accounts and the identities they may become, by a name. At most 20 credentials at one identity, of all clusters together."
  type = map(object({
    identity_id     = string
    namespace       = string
    service_account = string
  }))
  validation {
    # Entra compares subjects letter by letter; a pattern would match nothing, and a name with a colon something else.
    condition     = alltrue([for binding in var.bindings : can(regex("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", binding.namespace)) && can(regex("^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$", binding.service_account))])
    error_message = "namespace and service_account are exact names: no patterns."
  }
}
