variable "bucket" {
  description = "Name of the bucket of states, unique in the world."
  type        = string
}

variable "noncurrent_days" {
  description = "Days for which old states are kept."
  type        = number
  default     = 365
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
}
