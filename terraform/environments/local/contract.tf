locals {
  on_kubernetes = var.flavour == "kubernetes"
  cluster       = one(module.namespace[*].cluster)

  known_values = {
    mongodb = {
      # dr-cli says where to: mongodb.recovery.to.
      mode         = "recovery"
      replicaCount = var.members
      archive      = { url = var.archive_url }
      persistence  = var.storage_class == null ? {} : { storageClass = var.storage_class }
      # A drill adds nothing to what it proves.
      sidecar = { enabled = false }
    }
    # One for each cluster, and the source may be in this one.
    tidemark-node = { enabled = false }
    monitoring    = { enabled = false }
  }
  # One level deep: who gives `mongodb.sidecar` keeps the rest of `mongodb`.
  values = {
    for part in setunion(keys(local.known_values), keys(var.chart_values)) :
    part => merge(lookup(local.known_values, part, {}), lookup(var.chart_values, part, {}))
  }
}

module "contract" {
  source = "../../modules/pure/restore-contract"

  provider_name      = "local"
  environment        = "restore"
  region             = "local"
  source_environment = var.source_environment
  created_at         = terraform_data.created_at.output
  cluster            = local.cluster
  kube_context       = one(module.namespace[*].context)
  namespace          = one(module.namespace[*].name)
  storage_class      = local.on_kubernetes ? var.storage_class : null
  archive            = { url = var.archive_url }
  chart              = { install = local.on_kubernetes && var.install_chart, values = { for part, value in local.values : part => value if local.on_kubernetes } }
  destination_uri    = one(module.mongod[*].destination_uri)
}

output "restore_contract" {
  description = "What dr-cli reads: the fresh replica set, or the cluster and namespace to install the chart in (terraform/schemas/restore-contract.schema.json)."
  value       = module.contract.contract
}
