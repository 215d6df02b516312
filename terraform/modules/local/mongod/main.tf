locals {
  path  = "${var.folder}/tidemark-restore-${var.suffix}"
  asked = { path = local.path, members = var.members, replica_set = var.replica_set }

  marked_at = try(jsondecode(file("${local.path}/tidemark-restore.json")).asked_at, "")

  # What place.py has left about the processes, and whether they still are what it started.
  record = try(jsondecode(file("${local.path}/processes.json")), null)
  run    = "TIDEMARK_RESTORE_RUN=${terraform_data.place.id}"
  alive  = try(alltrue([for pid in local.record.pids : try(strcontains(file("/proc/${pid}/environ"), local.run), false)]), false)
}

# What was asked first, and when. It stays as it was: this state holds one place, and no other input makes another of it. In the plan that asks first, and in its apply, the
# time is that of the plan: then the folder must not be there.
resource "terraform_data" "asked" {
  input = merge(local.asked, { at = plantimestamp() })

  lifecycle {
    ignore_changes = [input]
    precondition {
      # fileexists is an error for a folder.
      condition     = !can(fileexists(var.folder))
      error_message = <<-EOT
        There is no folder for the data.
          where: ${var.folder}
          cause: it is made by nobody here, so that none is left behind
          next: mkdir -p ${var.folder}
      EOT
    }
    precondition {
      condition     = try(fileexists(var.mongod), false)
      error_message = <<-EOT
        There is no mongod to start.
          where: ${var.mongod}
          cause: the path is wrong, or it was removed
          next: scripts/fetch-mongod.sh prints the path of one; give it with -var mongod=PATH
      EOT
    }
    postcondition {
      # fileexists is an error for a folder. The mark: a time has seconds only, and within one a failed apply may be repeated.
      condition     = self.input.at != plantimestamp() || try(!fileexists(local.path), false) || local.marked_at == self.input.at
      error_message = <<-EOT
        The folder is there already, and this state has not made it.
          where: ${local.path}
          cause: another restore has the same suffix, or its state is lost
          next: take another suffix; or see what it is, and remove it yourself
      EOT
    }
    postcondition {
      condition     = self.input == merge(local.asked, { at = self.input.at })
      error_message = <<-EOT
        This state holds another place, which would have to be destroyed for this one.
          where: ${self.input.path}, ${self.input.members} members of ${self.input.replica_set}
          cause: folder, members or replica_set are others than at its first apply
          next: take a state of its own for each place, or run terraform destroy first
      EOT
    }
  }
}

# Its id is how a run knows what is its own. It is made before anything else, and nothing of it can fail: a resource whose creation failed
# is destroyed without its provisioners, so the one that removes must not be the one that makes.
resource "terraform_data" "place" {
  input      = { path = local.path }
  depends_on = [terraform_data.asked]

  provisioner "local-exec" {
    when        = destroy
    interpreter = ["python3", "-B", "${path.module}/scripts/place.py"]
    command     = "down"
    environment = { TIDEMARK_PLACE = self.input.path, TIDEMARK_RUN = self.id }
  }
}

# Replaced when a member does not run: that starts it again, with its data. place.py writes the trigger down when all of them run.
resource "terraform_data" "servers" {
  input            = { members = "${terraform_data.place.output.path}/members.json" }
  triggers_replace = local.alive ? local.record.trigger : plantimestamp()

  provisioner "local-exec" {
    interpreter = ["python3", "-B", "${path.module}/scripts/place.py"]
    command     = "up"
    environment = {
      TIDEMARK_PLACE       = terraform_data.place.output.path
      TIDEMARK_RUN         = terraform_data.place.id
      TIDEMARK_ASKED_AT    = terraform_data.asked.output.at
      TIDEMARK_MONGOD      = var.mongod
      TIDEMARK_MEMBERS     = var.members
      TIDEMARK_REPLICA_SET = var.replica_set
      TIDEMARK_TRIGGER     = self.triggers_replace
    }
  }
}

# Ports are chosen while it is applied: they are read when the servers are there, and kept.
resource "terraform_data" "members" {
  input            = try(jsondecode(file(terraform_data.servers.output.members)), null)
  triggers_replace = terraform_data.servers.id

  lifecycle {
    ignore_changes = [input]
  }
}
