mock_provider "azurerm" {}

variables {
  issuer = "https://westeurope.oic.prod-aks.azure.com/tenant/cluster-one/"
  bindings = {
    "shop/writer" = { identity_id = "/identities/shop-writer", namespace = "shop", service_account = "shop-mongodb" }
  }
}

run "trust_is_exact" {
  assert {
    condition = (
      azurerm_federated_identity_credential.this["shop/writer"].subject == "system:serviceaccount:shop:shop-mongodb" &&
      azurerm_federated_identity_credential.this["shop/writer"].audience == tolist(["api://AzureADTokenExchange"]) &&
      azurerm_federated_identity_credential.this["shop/writer"].issuer == "https://westeurope.oic.prod-aks.azure.com/tenant/cluster-one/" &&
      azurerm_federated_identity_credential.this["shop/writer"].user_assigned_identity_id == "/identities/shop-writer"
    )
    error_message = "Issuer, subject and audience are letters, not patterns."
  }
}

run "another_cluster_has_another_name_at_the_same_identity" {
  variables {
    issuer = "https://westeurope.oic.prod-aks.azure.com/tenant/cluster-two/"
  }
  assert {
    condition     = azurerm_federated_identity_credential.this["shop/writer"].name != run.trust_is_exact.names["shop/writer"]
    error_message = "Both stand beside each other while a restore runs beside its source."
  }
}

run "an_issuer_without_its_slash_is_refused" {
  command = plan
  variables {
    issuer = "https://westeurope.oic.prod-aks.azure.com/tenant/cluster-one"
  }
  expect_failures = [var.issuer]
}

run "a_pattern_is_refused" {
  command = plan
  variables {
    bindings = { "shop/writer" = { identity_id = "/identities/shop-writer", namespace = "shop", service_account = "*" } }
  }
  expect_failures = [var.bindings]
}
