variable "source_environment" {
  description = "Environment whose archive is restored."
  type        = string
}

variable "suffix" {
  description = "What makes all names of this restore fresh: 4 to 8 lower-case letters and digits, another for each restore. A vault's name stays taken for 90 days after its end."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9]{4,8}$", var.suffix))
    error_message = "suffix is 4 to 8 lower-case letters and digits. Without one a restore would adopt what is there."
  }
}

variable "region" {
  description = "Region to restore into; another than the archive's when that one is lost (Azure then fails the archive over to its pair under the same name)."
  type        = string
}

variable "subscription_id" {
  description = "Subscription to restore into."
  type        = string
}

variable "entra_tenant_id" {
  description = "Entra tenant of the subscription."
  type        = string
}

variable "organisation" {
  description = "Short name of the organisation."
  type        = string
}

variable "application" {
  description = "Short name of the application."
  type        = string
  default     = "tidemark"
}

variable "owner" {
  description = "Who answers for this restore."
  type        = string
}

variable "cost_center" {
  description = "Where its costs are booked."
  type        = string
}

variable "data_class" {
  description = "Classification of the restored data."
  type        = string
  default     = "confidential"
}

variable "alarm_addresses" {
  description = "Addresses that are told when Azure has trouble meanwhile."
  type        = list(string)
}

variable "tenant" {
  description = "Tenant to restore: `name`, and where they differ from it, its Kubernetes `namespace` and the `release` of the chart."
  type = object({
    name      = string
    namespace = optional(string)
    release   = optional(string)
  })
}

variable "archive" {
  description = "The archive to read: the output `archive` of the source's 30-data. Given and not looked up, because in a disaster the source's state may be gone, too."
  type = object({
    account_id         = string
    control_account_id = string
    kms_key            = string
    tenants = map(object({
      url         = string
      control_url = string
      lock        = object({ mode = string, days = number })
      identities  = map(object({ id = string, client_id = string }))
    }))
  })
  validation {
    condition     = contains(keys(var.archive.tenants), var.tenant.name)
    error_message = "The archive has no such tenant: tenant.name is one of ${join(", ", keys(var.archive.tenants))}."
  }
}

variable "resume_backups" {
  description = "Let the restored database become the writer, and begin a new lineage in the same archive. Off for drills: a drill must not add to what it proves."
  type        = bool
  default     = false
}

variable "network" {
  description = "Range and zones of the fresh network, and who reaches the API server in it. `taken` names ranges it must be able to reach or be reached from."
  type = object({
    cidr           = string
    taken          = optional(list(string), [])
    zones          = optional(list(string), ["1", "2", "3"])
    operator_cidrs = optional(list(string), [])
  })
}

variable "cluster" {
  description = "Version, nodes and access of the fresh cluster; see modules/azure/aks. Data nodes as large as the source's, or a restore takes longer than it did in drills."
  type = object({
    kubernetes_version   = optional(string, "1.34")
    private              = optional(bool, true)
    authorized_ip_ranges = optional(list(string), [])
    admin_group_ids      = list(string)
    system_nodes         = optional(object({ vm_size = optional(string), min = optional(number), max = optional(number), disk_gib = optional(number) }), {})
    data_nodes           = optional(object({ vm_size = optional(string), min = optional(number), max = optional(number), disk_gib = optional(number), transparent_huge_page = optional(string) }), {})
    general_nodes        = optional(object({ vm_size = optional(string), min = optional(number), max = optional(number), disk_gib = optional(number) }), {})
  })
  validation {
    condition     = length(var.cluster.admin_group_ids) > 0
    error_message = "cluster.admin_group_ids is empty: nobody, dr-cli included, could do anything in the cluster that is made."
  }
}

variable "registry" {
  description = "Registry of the images, from the output `registry` of the source's 30-data, and its repositories."
  type = object({
    id           = string
    host         = string
    repositories = list(string)
  })
}

variable "edge" {
  description = "Make a way in from the internet and name the host of the API; null when the API is not to be reached from outside, as in drills."
  type = object({
    host                 = string
    subnet_join_role_id  = string
    requests_per_address = optional(number, 600)
  })
  default = null
}

variable "install_chart" {
  description = "Whether dr-cli installs the chart before it restores."
  type        = bool
  default     = true
}

variable "chart_values" {
  description = "More values of the chart, by its parts; they come over those that this root knows (charts/tidemark/README.md)."
  type        = any
  default     = {}
}
