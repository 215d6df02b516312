output "id" {
  description = "Id of the cluster."
  value       = azurerm_kubernetes_cluster.this.id
}

output "name" {
  description = "Name of the cluster."
  value       = azurerm_kubernetes_cluster.this.name
}

output "endpoint" {
  description = "Address of the API server."
  value       = "https://${var.private ? azurerm_kubernetes_cluster.this.private_fqdn : azurerm_kubernetes_cluster.this.fqdn}:443"
}

output "ca_data" {
  description = "The authority of the API server, base64. A certificate is no secret; the rest of kube_config would be, and does not leave this module."
  value       = nonsensitive(azurerm_kubernetes_cluster.this.kube_config[0].cluster_ca_certificate)
}

output "issuer" {
  description = "Issuer of the tokens of service accounts. It belongs to this cluster alone: a cluster made anew has another."
  value       = azurerm_kubernetes_cluster.this.oidc_issuer_url
}

output "node_pool_labels" {
  description = "Labels of the data pools' nodes."
  value       = { (local.data_label) = "data" }
}

output "kubelet_principal_id" {
  description = "Object id of the kubelets' identity."
  value       = azurerm_user_assigned_identity.kubelet.principal_id
}

output "node_resource_group" {
  description = "Resource group in which the platform makes nodes, disks and load balancers."
  value       = azurerm_kubernetes_cluster.this.node_resource_group
}

output "node_resource_group_id" {
  description = "Id of that resource group."
  value       = azurerm_kubernetes_cluster.this.node_resource_group_id
}

output "manifests" {
  description = "Objects that the cluster needs before the first chart: the StorageClass of databases. Applied by whoever installs (GitOps, dr-cli), because objects of a cluster do not belong into the state that makes it."
  value = [{
    apiVersion           = "storage.k8s.io/v1"
    kind                 = "StorageClass"
    metadata             = { name = "tidemark-premium-v2" }
    provisioner          = "disk.csi.azure.com"
    volumeBindingMode    = "WaitForFirstConsumer"
    allowVolumeExpansion = true
    reclaimPolicy        = "Retain"
    parameters = {
      skuName = "PremiumV2_LRS"
      # Premium SSD v2 has no cache on the host.
      cachingMode                 = "None"
      DiskIOPSReadWrite           = "3000"
      DiskMBpsReadWrite           = "125"
      diskEncryptionSetID         = azurerm_disk_encryption_set.this.id
      tags                        = join(",", [for name in sort(keys(var.tags)) : "${name}=${var.tags[name]}"])
      "csi.storage.k8s.io/fstype" = "xfs"
    }
  }]
}
