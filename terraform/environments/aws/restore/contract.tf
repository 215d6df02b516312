locals {
  namespace       = coalesce(var.tenant.namespace, var.tenant.name)
  release         = coalesce(var.tenant.release, var.tenant.name)
  prefix          = coalesce(var.tenant.prefix, var.tenant.name)
  service_account = "${local.release}-mongodb"
  storage_class   = "tidemark-gp3"
  role            = var.resume_backups ? "writer" : "reader"

  lock_query = var.resume_backups ? "&retention_days=${var.archive.lock.days}&retention_mode=${var.archive.lock.mode}" : ""
  url        = "s3://${var.archive.bucket}/${local.prefix}?region=${var.archive.region}&sse=aws:kms&kms_key=${var.archive.kms_key_arn}${local.lock_query}"

  known_values = {
    global = { imageRegistry = var.registry.host }
    mongodb = {
      archive        = { url = local.url }
      serviceAccount = { create = true, name = local.service_account }
      persistence    = { storageClass = local.storage_class }
      nodeSelector   = module.cluster.node_pool_labels
      tolerations    = [{ key = "tidemark/pool", value = "data", effect = "NoSchedule" }]
      # A restored set is another lineage; without a writing role there is nothing for the sidecar to do.
      sidecar = { enabled = var.resume_backups, newLineage = var.resume_backups }
    }
  }
  # One level deep: who gives `mongodb.sidecar` keeps the rest of `mongodb`.
  values = {
    for part in setunion(keys(local.known_values), keys(var.chart_values)) :
    part => merge(lookup(local.known_values, part, {}), lookup(var.chart_values, part, {}))
  }
}

# The time of the first apply. A function in the output would be another in each plan.
resource "terraform_data" "created_at" {
  input = plantimestamp()

  lifecycle {
    ignore_changes = [input]
  }
}

module "contract" {
  source = "../../../modules/pure/restore-contract"

  provider_name      = "aws"
  environment        = "restore"
  region             = var.region
  source_environment = var.source_environment
  created_at         = terraform_data.created_at.output
  cluster = {
    name     = module.cluster.name
    endpoint = module.cluster.endpoint
    ca_data  = module.cluster.ca_data
    auth = {
      kind    = "exec"
      command = "aws"
      args    = ["--region", var.region, "eks", "get-token", "--cluster-name", module.cluster.name, "--output", "json"]
    }
  }
  kube_context     = module.cluster.name
  namespace        = local.namespace
  storage_class    = local.storage_class
  node_pool_labels = module.cluster.node_pool_labels
  workload_identity = {
    kind            = "eks-pod-identity"
    service_account = local.service_account
    identity        = module.access.role_arns[var.tenant.name][local.role]
    issuer          = module.cluster.issuer
  }
  archive = {
    url         = local.url
    kms_key     = var.archive.kms_key_arn
    object_lock = var.archive.lock
  }
  registry = var.registry
  ingress = {
    kind    = var.edge == null ? "none" : "alb"
    class   = var.edge == null ? null : "alb"
    host    = var.edge == null ? null : var.edge.host
    waf_acl = var.edge == null ? null : module.edge[0].arn
  }
  chart = { install = var.install_chart, values = local.values }
}

output "restore_contract" {
  description = "What dr-cli reads: where the fresh cluster is, how its pods reach the archive, what to install (terraform/schemas/restore-contract.schema.json)."
  value       = module.contract.contract
}

output "manifests" {
  description = "Objects to apply before the chart: the StorageClass that the contract names."
  value       = module.cluster.manifests
}
