variable "cluster_name" {
  description = "Cluster whose controllers get the roles."
  type        = string
}

variable "cluster_arn" {
  description = "ARN of that cluster, to which trust is bound."
  type        = string
}

variable "vpc_id" {
  description = "VPC in which the load balancer controller may work."
  type        = string
}

variable "permissions_boundary_arn" {
  description = "Boundary of the roles that are made here: `workload` of pipeline-limits, without which a pipeline may make none; null where a person applies."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
}
