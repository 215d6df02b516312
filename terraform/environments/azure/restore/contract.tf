locals {
  storage_class = "tidemark-premium-v2"

  known_values = {
    global = { imageRegistry = var.registry.host }
    mongodb = {
      # Leases, pins and protections lie beside the archive, in which nothing can be replaced.
      archive        = { url = local.source.url, controlUrl = local.source.control_url }
      serviceAccount = { create = true, name = local.service_account, annotations = { "azure.workload.identity/client-id" = local.source.identities[local.holder].client_id } }
      podLabels      = { "azure.workload.identity/use" = "true" }
      persistence    = { storageClass = local.storage_class }
      nodeSelector   = module.cluster.node_pool_labels
      tolerations    = [{ key = "tidemark/pool", value = "data", effect = "NoSchedule" }]
      # A restored set is another lineage; without a writing identity there is nothing for the sidecar to do.
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

  provider_name      = "azure"
  environment        = "restore"
  region             = var.region
  source_environment = var.source_environment
  created_at         = terraform_data.created_at.output
  cluster = {
    name     = module.cluster.name
    endpoint = module.cluster.endpoint
    ca_data  = module.cluster.ca_data
    auth = {
      # As whoever runs dr-cli has signed in. The server id is that of AKS in every Entra tenant.
      kind    = "exec"
      command = "kubelogin"
      args    = ["get-token", "--login", "azurecli", "--server-id", "6dae42f8-4368-4678-94ff-3960e28e3630"]
    }
  }
  kube_context     = module.cluster.name
  namespace        = local.namespace
  storage_class    = local.storage_class
  node_pool_labels = module.cluster.node_pool_labels
  workload_identity = {
    kind            = "aks-workload-identity"
    service_account = local.service_account
    identity        = local.source.identities[local.holder].client_id
    issuer          = module.federation.issuer
  }
  archive = {
    url         = local.source.url
    kms_key     = var.archive.kms_key
    object_lock = local.source.lock
  }
  registry = { host = var.registry.host, repositories = var.registry.repositories }
  ingress = {
    kind    = var.edge == null ? "none" : "gateway"
    class   = var.edge == null ? null : module.edge[0].gateway_class
    host    = var.edge == null ? null : var.edge.host
    waf_acl = var.edge == null ? null : module.edge[0].waf_policy_id
  }
  chart = { install = var.install_chart, values = local.values }
}

output "restore_contract" {
  description = "What dr-cli reads: where the fresh cluster is, how its pods reach the archive, what to install (terraform/schemas/restore-contract.schema.json)."
  value       = module.contract.contract

  # Who reads the contract finds the ways and the trust that it promises.
  depends_on = [module.federation, azurerm_private_endpoint.source]
}

output "manifests" {
  description = "Objects to apply before the chart: the StorageClass that the contract names."
  value       = module.cluster.manifests
}
