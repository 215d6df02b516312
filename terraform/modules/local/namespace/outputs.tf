output "name" {
  description = "Name of the namespace."
  value       = local.name
}

output "context" {
  description = "Context of the kubeconfig to use."
  value       = local.context_name
}

output "cluster" {
  description = "The cluster, as the restore contract has it: clients sign in by the kubeconfig, of which nothing secret stands here."
  value = {
    name     = try(local.context.cluster, local.context_name)
    endpoint = local.endpoint
    ca_data  = local.ca_data
    auth     = { kind = "file", args = [var.kubeconfig] }
  }
}
