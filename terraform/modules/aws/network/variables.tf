variable "name" {
  description = "Name of the network, beginning of the names of its parts."
  type        = string
}

variable "cidr" {
  description = "Range of the network, /16 to /20 of the private ranges."
  type        = string
}

variable "zones" {
  description = "Availability zones, in the order of the subnets. A change of the order moves subnets, so they are named and not looked up."
  type        = list(string)
  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 4 && length(distinct(var.zones)) == length(var.zones)
    error_message = "zones names 2 to 4 different zones."
  }
}

variable "taken" {
  description = "Ranges that the network must not overlap."
  type        = list(string)
  default     = []
}

variable "nat" {
  description = "Way out of the private subnets: `per-zone` (survives the loss of a zone), `single` (a third of the cost) or `none` (endpoints only)."
  type        = string
  default     = "per-zone"
  validation {
    condition     = contains(["per-zone", "single", "none"], var.nat)
    error_message = "nat is per-zone, single or none."
  }
}

variable "interface_endpoints" {
  description = "Services reached without leaving the network. Each costs per zone and hour."
  type        = set(string)
  default     = ["ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "elasticloadbalancing", "kms", "logs", "sts"]
}

variable "flow_log_days" {
  description = "Days for which flow logs are kept."
  type        = number
  default     = 90
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
