variable "common" {
  description = "What all layers of an environment share: names, tags, region."
  type = object({
    organisation = string
    application  = optional(string, "tidemark")
    environment  = string
    region       = string
    owner        = string
    cost_center  = string
    repository   = optional(string, "tidemark")
    data_class   = optional(string, "confidential")
  })
}

variable "cluster" {
  description = "Version, nodes and access of the cluster; see modules/azure/aks."
  type = object({
    kubernetes_version   = optional(string, "1.34")
    private              = optional(bool, true)
    authorized_ip_ranges = optional(list(string), [])
    admin_group_ids      = list(string)
    system_nodes         = optional(object({ vm_size = optional(string), min = optional(number), max = optional(number), disk_gib = optional(number) }), {})
    data_nodes           = optional(object({ vm_size = optional(string), min = optional(number), max = optional(number), disk_gib = optional(number), transparent_huge_page = optional(string) }), {})
    general_nodes        = optional(object({ vm_size = optional(string), min = optional(number), max = optional(number), disk_gib = optional(number) }), {})
    zones                = optional(list(string), ["1", "2", "3"])
    maintenance          = optional(object({ day = optional(string), start = optional(string) }), {})
    defender_enabled     = optional(bool, true)
  })
}

variable "network" {
  description = "The network, from its layer."
  type = object({
    subnet_ids           = map(string)
    pod_cidr             = string
    private_dns_zone_ids = map(string)
    workspace_id         = string
    action_group_id      = string
  })
}
