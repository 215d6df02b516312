# A root for tests of dr-cli whose state is kept by a server that may refuse it.

terraform {
  backend "http" {}
}

variable "suffix" { type = string }

variable "folder" { type = string }

resource "terraform_data" "place" {
  input = "${var.folder}/${var.suffix}"

  provisioner "local-exec" {
    command = "mkdir '${self.input}'"
  }

  provisioner "local-exec" {
    when    = destroy
    command = "rmdir '${self.input}'"
  }
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
    # Nobody listens there: no test comes so far.
    destination_uri = "mongodb://127.0.0.1:1/"
  }
}
