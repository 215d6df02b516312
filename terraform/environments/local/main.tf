# A fresh place for a restore on this machine, with nothing but Terraform itself: the built-in terraform_data and scripts. No provider is fetched, so it works offline.
#
# It reads the archive and never owns it: the URL goes into the contract, and nothing here opens it.

terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  # terraform init -backend-config=path=/…/SUFFIX.tfstate (README.md): one state for each restore
  backend "local" {}
}

# One state holds one restore. Another suffix or flavour in it would destroy what is there, restored data included, to make the new place.
resource "terraform_data" "restore" {
  input = { flavour = var.flavour, suffix = var.suffix }

  lifecycle {
    ignore_changes = [input]
    postcondition {
      condition     = self.input == { flavour = var.flavour, suffix = var.suffix }
      error_message = <<-EOT
        This state holds another restore.
          where: suffix ${self.input.suffix}, flavour ${self.input.flavour}
          cause: suffix or flavour are others than at its first apply
          next: take a state of its own for each restore (terraform init -reconfigure -backend-config=path=…), or run terraform destroy first
      EOT
    }
  }
}

# The time of the first apply. A function in the output would be another in each plan.
resource "terraform_data" "created_at" {
  input = plantimestamp()

  lifecycle {
    ignore_changes = [input]
  }
}

module "mongod" {
  source = "../../modules/local/mongod"
  count  = var.flavour == "mongod" ? 1 : 0

  suffix      = terraform_data.restore.input.suffix
  folder      = var.folder
  mongod      = var.mongod
  members     = var.members
  replica_set = var.replica_set
}

module "namespace" {
  source = "../../modules/local/namespace"
  count  = var.flavour == "kubernetes" ? 1 : 0

  suffix     = terraform_data.restore.input.suffix
  kubeconfig = var.kubeconfig
  context    = var.context
  kubectl    = var.kubectl
  prefix     = var.namespace
  secrets    = var.secrets
}
