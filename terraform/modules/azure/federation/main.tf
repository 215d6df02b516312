# Which service account of which cluster may become which identity.
#
# The trap: a credential trusts the issuer of ONE cluster. A cluster that is made again has another issuer even under the same name, and its pods are
# refused with "no matching federated identity record" (AADSTS70021) while everything else looks well: no backup is written, and no restore reads.
# So these credentials are made in the state of the cluster that they belong to, from its own output, and go with it.

locals {
  # Names are at most 120 characters and unique for the identity: the issuer's digest keeps two clusters apart at one identity.
  cluster = substr(sha256(var.issuer), 0, 8)
}

resource "azurerm_federated_identity_credential" "this" {
  for_each = var.bindings

  name                      = "${replace(each.key, "/", "-")}-${local.cluster}"
  user_assigned_identity_id = each.value.identity_id
  issuer                    = var.issuer
  subject                   = "system:serviceaccount:${each.value.namespace}:${each.value.service_account}"
  audience                  = ["api://AzureADTokenExchange"]
}
