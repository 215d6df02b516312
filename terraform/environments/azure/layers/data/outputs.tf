output "archive" {
  description = "Backups and who may do what with them, by tenant: what a restore is given."
  value = {
    account_id         = module.backup_store.account_id
    control_account_id = module.backup_store.control_account_id
    kms_key            = module.keys.versionless_key_ids["archive"]
    tenants = {
      for name in keys(var.tenants) : name => {
        url         = module.backup_store.archive_urls[name]
        control_url = module.backup_store.control_urls[name]
        lock        = module.backup_store.object_lock[name]
        identities = {
          for holder in ["writer", "reader", "expirer"] : holder => {
            id = module.identity.ids["${name}/${holder}"], client_id = module.identity.client_ids["${name}/${holder}"]
          }
        }
      }
    }
  }
}

output "registry" {
  description = "Registry of the images."
  value       = { id = module.registry.id, host = module.registry.host }
}
