output "network" {
  description = "The network, as the next layers take it."
  value       = module.network
}
