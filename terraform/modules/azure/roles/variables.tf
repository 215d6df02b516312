variable "name" {
  description = "Beginning of the roles' names, which are unique in the Entra tenant."
  type        = string
}

variable "subscription_resource_id" {
  description = "Subscription, as /subscriptions/ID, in which the roles may be assigned."
  type        = string
  validation {
    condition     = can(regex("^/subscriptions/[^/]+$", var.subscription_resource_id))
    error_message = "subscription_resource_id is /subscriptions/ID."
  }
}
