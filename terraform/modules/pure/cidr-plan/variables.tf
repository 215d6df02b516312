variable "cidr" {
  description = "Range of the whole network, /16 to /20."
  type        = string
  validation {
    condition     = can(cidrnetmask(var.cidr)) && try(cidrhost(var.cidr, 0) == split("/", var.cidr)[0], false)
    error_message = "cidr is an IPv4 range that begins at its own first address, such as 10.20.0.0/16."
  }
  validation {
    condition     = try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 20, false)
    error_message = "cidr is between /16 and /20: smaller leaves too few addresses for pods in each zone."
  }
  validation {
    condition     = can(regex("^(10\\.|192\\.168\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.)", var.cidr))
    error_message = "cidr lies within the private ranges (RFC 1918)."
  }
}

variable "zones" {
  description = "Number of zones; each has one subnet of each tier."
  type        = number
  default     = 3
  validation {
    condition     = var.zones >= 2 && var.zones <= 4 && floor(var.zones) == var.zones
    error_message = "zones is 2, 3 or 4: a replica set of three members wants three."
  }
}

variable "taken" {
  description = "Ranges that this network must not overlap: peers, on-premises, the environment that a restore runs beside."
  type        = list(string)
  default     = []
}
