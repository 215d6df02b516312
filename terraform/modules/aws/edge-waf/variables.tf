variable "name" {
  description = "Name of the web ACL."
  type        = string
}

variable "requests_per_address" {
  description = "Requests that one address may make in five minutes before it is blocked."
  type        = number
  default     = 2000
  validation {
    condition     = var.requests_per_address >= 10 && var.requests_per_address <= 2000000
    error_message = "requests_per_address is 10 to 2,000,000."
  }
}

variable "log_days" {
  description = "Days for which logs of requests are kept."
  type        = number
  default     = 30
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
}
