locals {
  name  = "${var.prefix}-${var.suffix}"
  asked = { name = local.name, kubeconfig = var.kubeconfig, context = local.context_name }

  # Of the kubeconfig, what is no secret. It is read in each plan; a cluster that is gone must not stop a destroy, so nothing here is an error.
  config       = try(yamldecode(file(var.kubeconfig)), {})
  context_name = try(coalesce(var.context, local.config["current-context"]), "")
  context      = try([for one in local.config.contexts : one.context if one.name == local.context_name][0], null)
  cluster      = try([for one in local.config.clusters : one.cluster if one.name == local.context.cluster][0], null)
  endpoint     = try(local.cluster.server, "")
  ca_data = try(
    local.cluster["certificate-authority-data"],
    filebase64(startswith(local.cluster["certificate-authority"], "/") ? local.cluster["certificate-authority"] : "${dirname(var.kubeconfig)}/${local.cluster["certificate-authority"]}"),
    ""
  )
}

# What was asked first. It stays as it was: this state holds one namespace, and no other input makes another of it.
resource "terraform_data" "asked" {
  input = local.asked

  lifecycle {
    ignore_changes = [input]
    precondition {
      condition     = startswith(local.endpoint, "https://")
      error_message = <<-EOT
        The kubeconfig names no cluster that can be used.
          where: ${var.kubeconfig}, context ${local.context_name == "" ? "(none)" : local.context_name}
          cause: the file or the context is not there, or its server is no https:// address
          next: kubectl --kubeconfig ${var.kubeconfig} config get-contexts, and give one with -var context=NAME
      EOT
    }
    postcondition {
      condition     = self.input == local.asked
      error_message = <<-EOT
        This state holds another namespace, which would have to be deleted for this one.
          where: ${self.input.name} in context ${self.input.context} of ${self.input.kubeconfig}
          cause: namespace, kubeconfig or context are others than at its first apply
          next: take a state of its own for each restore, or run terraform destroy first
      EOT
    }
  }
}

# Its id is how a run knows its namespace: it stands in a label. It is made before anything else, and nothing of it can fail: a resource whose creation failed is
# destroyed without its provisioners, so the one that removes must not be the one that makes.
resource "terraform_data" "place" {
  input      = merge(local.asked, { kubectl = var.kubectl })
  depends_on = [terraform_data.asked]

  provisioner "local-exec" {
    when        = destroy
    interpreter = ["python3", "-B", "${path.module}/scripts/namespace.py"]
    command     = "down"
    environment = {
      TIDEMARK_RUN        = self.id
      TIDEMARK_NAMESPACE  = self.input.name
      TIDEMARK_KUBECONFIG = self.input.kubeconfig
      TIDEMARK_CONTEXT    = self.input.context
      TIDEMARK_KUBECTL    = self.input.kubectl
    }
  }
}

resource "terraform_data" "namespace" {
  input = { name = terraform_data.place.output.name }

  provisioner "local-exec" {
    interpreter = ["python3", "-B", "${path.module}/scripts/namespace.py"]
    command     = "up"
    environment = {
      TIDEMARK_RUN          = terraform_data.place.id
      TIDEMARK_SUFFIX       = var.suffix
      TIDEMARK_NAMESPACE    = terraform_data.place.output.name
      TIDEMARK_KUBECONFIG   = terraform_data.place.output.kubeconfig
      TIDEMARK_CONTEXT      = terraform_data.place.output.context
      TIDEMARK_KUBECTL      = var.kubectl
      TIDEMARK_POD_SECURITY = var.pod_security
      TIDEMARK_SECRETS      = join(" ", var.secrets)
    }
  }
}
