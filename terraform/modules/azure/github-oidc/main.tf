# Who the pipelines are in Azure. No secret is stored anywhere: GitHub signs a token for each job, and Entra takes it when issuer, subject and audience
# are exactly these. A job with `environment:` has the environment as its subject, and neither branch nor event, so the environment's reviewers are the gate.

locals {
  issuer = "https://token.actions.githubusercontent.com"

  subjects = {
    # Code of pull requests runs with it, and nobody is asked before: it reads.
    plan    = "repo:${var.repository}:environment:${var.apply_environment}-plan"
    apply   = "repo:${var.repository}:environment:${var.apply_environment}"
    release = "repo:${var.repository}:environment:release-azure"
    drill   = "repo:${var.repository}:environment:drill-${var.apply_environment}"
  }
  wanted = { for role, subject in local.subjects : role => subject if lookup({ release = var.push_images, drill = var.drill }, role, true) }
}

resource "azurerm_user_assigned_identity" "this" {
  for_each = local.wanted

  name                = "${var.name}-github-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

resource "azurerm_federated_identity_credential" "this" {
  for_each = local.wanted

  name                      = "github-${each.key}"
  user_assigned_identity_id = azurerm_user_assigned_identity.this[each.key].id
  issuer                    = local.issuer
  subject                   = each.value
  audience                  = ["api://AzureADTokenExchange"]
}

resource "azurerm_role_assignment" "plan" {
  for_each = var.scopes

  scope                = each.value
  role_definition_name = "Reader"
  principal_id         = azurerm_user_assigned_identity.this["plan"].principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "apply" {
  for_each = var.scopes

  scope                = each.value
  role_definition_name = "Contributor"
  principal_id         = azurerm_user_assigned_identity.this["apply"].principal_id
  principal_type       = "ServicePrincipal"
}

# Locks on what holds backups: set by whoever applies, lifted by an owner.
resource "azurerm_role_assignment" "lock" {
  for_each = var.scopes

  scope              = each.value
  role_definition_id = var.lock_role_id
  principal_id       = azurerm_user_assigned_identity.this["apply"].principal_id
  principal_type     = "ServicePrincipal"
}

# Assigning roles is needed for the identities of the cluster and the archive. The condition names the roles that the modules assign, to identities only:
# without it whoever applies could make himself owner.
resource "azurerm_role_assignment" "assign" {
  for_each = var.scopes

  scope                = each.value
  role_definition_name = "Role Based Access Control Administrator"
  principal_id         = azurerm_user_assigned_identity.this["apply"].principal_id
  principal_type       = "ServicePrincipal"
  condition_version    = "2.0"
  condition = join(" AND ", [
    for action, object in { write = "@Request", delete = "@Resource" } : format(
      "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/%s'})) OR (%s[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {%s} AND %s[Microsoft.Authorization/roleAssignments:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {'ServicePrincipal'}))",
      action, object, join(", ", concat(values(local.assignable), var.assignable_role_guids)), object
    )
  ])
}

locals {
  # Built-in roles that the modules assign.
  assignable = {
    acr_pull                      = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
    acr_push                      = "8311e382-0749-4cb8-b61a-304f252e45ec"
    gateway_configuration_manager = "fbc52c3f-28ad-4303-a892-8a056630b8f1"
    key_vault_crypto_officer      = "14b46e9e-c2b7-41b4-b07b-48a6ebf60603"
    key_vault_crypto_user         = "12338af0-0e69-4776-bea7-57ae8d297424"
    key_vault_encryption_user     = "e147488a-f6f5-4113-8e2d-b22465e65bf6"
    managed_identity_operator     = "f1a07417-d97a-45cb-824c-7a7467783830"
    network_contributor           = "4d97b98b-1d4f-4787-a291-c67834d212e7"
    reader                        = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
  }
}
