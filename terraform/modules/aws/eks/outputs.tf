output "name" {
  description = "Name of the cluster."
  value       = aws_eks_cluster.this.name
}

output "arn" {
  description = "ARN of the cluster, to which trust of Pod Identity roles is bound."
  value       = aws_eks_cluster.this.arn
}

output "endpoint" {
  description = "Private endpoint of the API server."
  value       = aws_eks_cluster.this.endpoint
}

output "ca_data" {
  description = "Certificate authority of the API server, PEM in base64."
  value       = aws_eks_cluster.this.certificate_authority[0].data
}

output "issuer" {
  description = "OIDC issuer, new with each cluster. Nothing here trusts it; it is shown because trust of others might."
  value       = aws_eks_cluster.this.identity[0].oidc[0].issuer
}

output "security_group_id" {
  description = "Security group of nodes and control plane."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}

output "node_pool_labels" {
  description = "Labels of the nodes for databases."
  value       = { "tidemark/pool" = "data" }

  # Whoever reads it is about to place pods, which takes nodes and addons.
  depends_on = [aws_eks_node_group.this, aws_eks_addon.after_nodes]
}

output "manifests" {
  description = "Objects that the cluster needs before the first chart: the StorageClass of databases. Applied by whoever installs (GitOps, dr-cli), because objects of a cluster do not belong into the state that makes it."
  value = [{
    apiVersion           = "storage.k8s.io/v1"
    kind                 = "StorageClass"
    metadata             = { name = "tidemark-gp3" }
    provisioner          = "ebs.csi.aws.com"
    volumeBindingMode    = "WaitForFirstConsumer"
    allowVolumeExpansion = true
    reclaimPolicy        = "Retain"
    parameters = merge({
      type                        = "gp3"
      iops                        = "3000"
      throughput                  = "125"
      encrypted                   = "true"
      "csi.storage.k8s.io/fstype" = "xfs"
    }, { for index, name in sort(keys(var.tags)) : "tagSpecification_${index + 1}" => "${name}=${var.tags[name]}" })
  }]
}
