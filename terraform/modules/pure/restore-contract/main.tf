# What dr-cli is told about an environment that was made for a restore. One shape for all providers: the JSON Schema is terraform/schemas/restore-contract.schema.json.
# Fields may be added; one that goes or changes its meaning is a new schema_version.

locals {
  contract = {
    schema_version     = 1
    provider           = var.provider_name
    environment        = var.environment
    region             = var.region
    source_environment = var.source_environment
    created_at         = var.created_at
    cluster            = var.cluster
    kube_context       = var.kube_context
    namespace          = var.namespace
    storage_class      = var.storage_class
    node_pool_labels   = var.node_pool_labels
    workload_identity  = var.workload_identity
    archive            = var.archive
    registry           = var.registry
    ingress            = var.ingress
    chart              = var.chart
    destination_uri    = var.destination_uri
  }
}
