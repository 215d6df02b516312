# Three identities for each tenant: the sidecar that writes, the restore that reads, the expiry that deletes. They are made without any trust: which
# cluster's pods may become one of them is said by the federated credentials of that cluster (../federation), because they bind to its issuer.

locals {
  holders = ["writer", "reader", "expirer"]
  pairs   = { for pair in setproduct(var.tenants, local.holders) : "${pair[0]}/${pair[1]}" => { tenant = pair[0], holder = pair[1] } }
}

resource "azurerm_user_assigned_identity" "this" {
  for_each = local.pairs

  name                = "${var.name}-${each.value.tenant}-${each.value.holder}"
  resource_group_name = var.resource_group_name
  location            = var.location
  # No identity is assigned to machines of another region.
  isolation_scope = "Regional"
  tags            = merge(var.tags, { tenant = each.value.tenant })
}
