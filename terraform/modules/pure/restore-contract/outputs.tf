output "contract" {
  description = "The restore contract, schema version 1. A root passes it on as its output `restore_contract`."
  value       = local.contract

  precondition {
    condition     = var.destination_uri == null || var.provider_name == "local"
    error_message = "destination_uri is for provider local: elsewhere the destination is found in the cluster."
  }
  precondition {
    condition     = (var.cluster == null) != (var.destination_uri == null)
    error_message = "There is either a cluster or a destination_uri."
  }
  precondition {
    condition     = var.cluster == null || (var.namespace != null && var.kube_context != null)
    error_message = "A cluster needs namespace and kube_context."
  }
  precondition {
    condition     = !var.chart.install || var.cluster != null
    error_message = "A chart needs a cluster."
  }
  precondition {
    condition     = var.provider_name == "local" || (var.archive.kms_key != null && var.registry != null && var.storage_class != null)
    error_message = "In a cloud the archive has a key of its own, and registry and storage_class are known."
  }
}
