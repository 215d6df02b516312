mock_provider "azurerm" {}

variables {
  name                = "acme-tidemark-dev-weu"
  resource_group_name = "acme-tidemark-dev-weu-data"
  location            = "westeurope"
  tags                = { app = "tidemark", tenant = "" }
  tenants             = ["shop", "bakery"]
}

run "each_tenant_has_three_identities" {
  assert {
    condition     = toset(keys(output.principal_ids)) == toset(["shop/writer", "shop/reader", "shop/expirer", "bakery/writer", "bakery/reader", "bakery/expirer"])
    error_message = jsonencode(keys(output.principal_ids))
  }
  assert {
    condition     = azurerm_user_assigned_identity.this["shop/writer"].tags["tenant"] == "shop"
    error_message = "Costs and audits ask for the tenant."
  }
  assert {
    condition     = alltrue([for identity in azurerm_user_assigned_identity.this : length(identity.name) <= 128])
    error_message = "Azure takes 128 characters."
  }
}
