output "cluster" {
  description = "The cluster, as the next layers take it."
  value       = module.cluster
}
