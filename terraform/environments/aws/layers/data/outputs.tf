output "archive" {
  description = "The archive bucket, as the next layer and a restore take it. Keep a copy outside of this region: a restore must not need this state."
  value       = module.archive
}

output "archive_urls" {
  description = "URL of each tenant's archive, for `mongodb.archive.url` of its chart."
  value       = { for name, tenant in var.tenants : name => "s3://${module.archive.bucket}/${coalesce(tenant.prefix, name)}?${module.archive.url_query}" }
}

output "registry" {
  description = "Registry of the images."
  value       = module.registry
}
