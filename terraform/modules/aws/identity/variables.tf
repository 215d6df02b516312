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

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
}
