variable "name" {
  description = "Beginning of all names of the environment: of these policies, and of the roles, clusters, buckets and alarms that the pipeline may make."
  type        = string
}

variable "regions" {
  description = "Regions in which the pipeline may make what has no name to go by."
  type        = list(string)
}

variable "state_bucket" {
  description = "Bucket of Terraform's states."
  type        = string
}

variable "state_kms_key_arn" {
  description = "Key of the states."
  type        = string
}

variable "archive_bucket_arns" {
  description = "Archive buckets: pipelines may configure them, and touch no backup and no lock."
  type        = list(string)
}

variable "repository_prefix" {
  description = "Path below which image repositories lie."
  type        = string
}

variable "tags" {
  description = "Tags of all resources. `app` and `env` tell the keys of this environment from others."
  type        = map(string)
}
