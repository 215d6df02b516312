variable "name" {
  description = "Beginning of the names of the alarms."
  type        = string
}

variable "bucket" {
  description = "Name of the archive bucket; its request metrics are those of the filter EntireBucket."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of the archive."
  type        = string
}

variable "replica" {
  description = "The replica: `bucket` and `region`. Null when there is none."
  type = object({
    bucket = string
    region = string
  })
  default = null
}

variable "addresses" {
  description = "Addresses of mail that alarms go to; each has to confirm. A pager subscribes to the topic by itself."
  type        = list(string)
  default     = []
}

variable "silent_minutes" {
  description = "Minutes without a write after which the archive counts as silent. A sidecar writes every few seconds."
  type        = number
  default     = 15
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
}
