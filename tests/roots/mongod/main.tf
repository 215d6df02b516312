# A root for tests of dr-cli: a replica set of one process, and ways to go wrong. terraform/environments/local is the real one.

variable "suffix" { type = string }

variable "mongod" { type = string }

# Everything lies below FOLDER/SUFFIX.
variable "folder" { type = string }

variable "schema_version" {
  type    = number
  default = 1
}

# The schema version of the contract shows after the apply only.
variable "is_late" {
  type    = bool
  default = false
}

# A document stands in the fresh set.
variable "is_used" {
  type    = bool
  default = false
}

# Seconds that the last resource takes: time to interrupt the apply.
variable "slow" {
  type    = number
  default = 0
}

# The last resource cannot be made.
variable "fails" {
  type    = bool
  default = false
}

# Seconds that the destroy takes.
variable "slow_destroy" {
  type    = number
  default = 0
}

variable "api_token" {
  type    = string
  default = ""
}

# Its destroy removes whatever lies there: a resource whose making failed is not told about its own end.
resource "terraform_data" "place" {
  input = { folder = "${var.folder}/${var.suffix}", script = "${path.module}/server.py", slow = var.slow_destroy }

  provisioner "local-exec" {
    when    = destroy
    command = "sleep ${self.input.slow}; python3 -B '${self.input.script}' remove '${self.input.folder}'"
  }
}

resource "terraform_data" "server" {
  input = terraform_data.place.output.folder

  provisioner "local-exec" {
    command = "python3 -B '${path.module}/server.py' start '${self.input}' '${var.mongod}' ${var.is_used ? "used" : "fresh"}"
  }
}

# Nothing else ends while it is being made: what ends writes the whole state, with what has only begun.
resource "terraform_data" "last" {
  input      = terraform_data.server.id
  depends_on = [terraform_data.schema_version, data.terraform_remote_state.port]

  provisioner "local-exec" {
    # The shell prints the variable as a careless script would.
    command = "echo token is ${var.api_token}; sleep ${var.slow}; ${var.fails ? "echo boom mongodb://u:pass-word@h/ >&2; exit 3" : "true"}"
  }
}

resource "terraform_data" "schema_version" {
  input            = var.schema_version
  triggers_replace = [var.schema_version]
}

# Made after the set, like anything that is known only then.
data "terraform_remote_state" "port" {
  backend    = "local"
  config     = { path = "${terraform_data.server.output}/port.tfstate" }
  depends_on = [terraform_data.server]
}

output "restore_contract" {
  value = {
    schema_version     = var.is_late ? terraform_data.schema_version.output : var.schema_version
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
    destination_uri    = data.terraform_remote_state.port.outputs.uri
  }
}
