output "archive" {
  description = "Roles at the archive, by name: id, holder (writer, reader, expirer), store (archive, control), and the condition that every assignment carries."
  value = {
    for name, role in module.rules.roles : name => {
      id        = azurerm_role_definition.archive[name].role_definition_resource_id
      holder    = role.holder
      store     = role.store
      condition = role.condition
    }
  }
}

output "subnet_join_id" {
  description = "Id of the role that joins a subnet."
  value       = azurerm_role_definition.subnet_join.role_definition_resource_id
}

output "lock_id" {
  description = "Id of the role that sets locks; for pipelines."
  value       = azurerm_role_definition.lock.role_definition_resource_id
}

output "guids" {
  description = "The roles as conditions name them, for who may assign them."
  value       = concat([for role in azurerm_role_definition.archive : role.role_definition_id], [azurerm_role_definition.subnet_join.role_definition_id])
}
