# On the tenant's own containers: no right of one tenant's identity reaches another's backups.

locals {
  grants = merge([
    for tenant in keys(var.tenants) : {
      for name, role in var.roles : "${tenant}/${name}" => merge(role, { tenant = tenant })
    }
  ]...)
}

# Who reads one tenant's backups besides, with the same rights as its reader.
resource "azurerm_role_assignment" "reader" {
  for_each = merge([
    for reader, who in var.more_readers : {
      for name, role in var.roles : "${reader}/${name}" => merge(role, who) if role.holder == "reader"
    }
  ]...)

  scope              = each.value.store == "archive" ? azurerm_storage_container.archive[each.value.tenant].id : azurerm_storage_container.control[each.value.tenant].id
  role_definition_id = each.value.id
  principal_id       = each.value.principal_id
  principal_type     = "ServicePrincipal"
  condition          = each.value.condition
  condition_version  = "2.0"
  description        = "Tenant ${each.value.tenant}: another reader at ${each.value.store}."
}

resource "azurerm_role_assignment" "tenant" {
  for_each = local.grants

  scope              = each.value.store == "archive" ? azurerm_storage_container.archive[each.value.tenant].id : azurerm_storage_container.control[each.value.tenant].id
  role_definition_id = each.value.id
  principal_id       = var.principal_ids["${each.value.tenant}/${each.value.holder}"]
  principal_type     = "ServicePrincipal"
  condition          = each.value.condition
  condition_version  = each.value.condition == null ? null : "2.0"
  description        = "Tenant ${each.value.tenant}: ${each.value.holder} at ${each.value.store}."
}
