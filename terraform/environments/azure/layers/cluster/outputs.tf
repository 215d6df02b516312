output "cluster" {
  description = "The cluster, for the layers above and for who signs in to it."
  value = {
    id                   = module.cluster.id
    name                 = module.cluster.name
    endpoint             = module.cluster.endpoint
    ca_data              = module.cluster.ca_data
    issuer               = module.cluster.issuer
    kubelet_principal_id = module.cluster.kubelet_principal_id
    node_pool_labels     = module.cluster.node_pool_labels
    node_resource_group  = module.cluster.node_resource_group
    node_group_id        = module.cluster.node_resource_group_id
    manifests            = module.cluster.manifests
  }
}
