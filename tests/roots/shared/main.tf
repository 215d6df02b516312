# A root for tests of dr-cli whose state others can reach: the destination is there already.

terraform {
  backend "local" {}
}

variable "destination_uri" { type = string }

# Seconds that the apply holds the lock of the state.
variable "slow" {
  type    = number
  default = 0
}

# Something that somebody else adds.
variable "extra" {
  type    = bool
  default = false
}

resource "terraform_data" "place" {
  provisioner "local-exec" {
    command = "sleep ${var.slow}"
  }
}

resource "terraform_data" "extra" {
  count = var.extra ? 1 : 0
}

output "restore_contract" {
  value = {
    schema_version     = 1
    provider           = "local"
    environment        = "restore"
    region             = "local"
    source_environment = "test"
    created_at         = "2026-01-02T03:04:05Z"
    cluster            = null
    kube_context       = null
    namespace          = null
    storage_class      = null
    node_pool_labels   = {}
    workload_identity  = { kind = "none" }
    archive            = { url = "file:///not/read/by/dr-cli" }
    registry           = null
    ingress            = null
    chart              = { install = false, values = null }
    destination_uri    = var.destination_uri
  }
}
