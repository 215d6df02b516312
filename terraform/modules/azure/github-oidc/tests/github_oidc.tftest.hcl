mock_provider "azurerm" {}

variables {
  name                  = "acme-tidemark-prod-weu"
  resource_group_name   = "acme-tidemark-prod-weu-state"
  location              = "westeurope"
  tags                  = { app = "tidemark" }
  repository            = "acme/tidemark"
  apply_environment     = "azure-prod"
  scopes                = { data = "/subscriptions/s/resourceGroups/acme-tidemark-prod-weu-data" }
  lock_role_id          = "/subscriptions/s/roleDefinitions/lock"
  assignable_role_guids = ["00000000-0000-4000-8000-0000000000c1"]
}

run "subjects_are_exact" {
  assert {
    condition     = output.subjects == { plan = "repo:acme/tidemark:environment:azure-prod-plan", apply = "repo:acme/tidemark:environment:azure-prod" }
    error_message = jsonencode(output.subjects)
  }
  assert {
    condition     = alltrue([for credential in azurerm_federated_identity_credential.this : credential.issuer == "https://token.actions.githubusercontent.com" && credential.audience == tolist(["api://AzureADTokenExchange"])])
    error_message = "Trust by audience alone is open to all of GitHub."
  }
}

run "a_plan_reads" {
  assert {
    condition     = [for assignment in azurerm_role_assignment.plan : assignment.role_definition_name] == ["Reader"]
    error_message = "A pull request changes nothing."
  }
}

run "an_apply_assigns_the_roles_of_the_modules_and_no_other" {
  assert {
    condition = (
      length(regexall("ForAnyOfAnyValues:GuidEquals", azurerm_role_assignment.assign["data"].condition)) == 2 &&
      length(regexall("00000000-0000-4000-8000-0000000000c1", azurerm_role_assignment.assign["data"].condition)) == 2 &&
      # Owner.
      length(regexall("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", azurerm_role_assignment.assign["data"].condition)) == 0
    )
    error_message = azurerm_role_assignment.assign["data"].condition
  }
}

run "images_are_pushed_by_the_release_only" {
  variables {
    push_images = true
  }
  assert {
    condition     = output.subjects["release"] == "repo:acme/tidemark:environment:release-azure" && length(azurerm_role_assignment.apply) == 1
    error_message = "The release has an identity, and no right in the groups."
  }
}

run "a_drill_has_no_right_in_the_groups" {
  variables {
    drill = true
  }
  assert {
    condition     = output.subjects["drill"] == "repo:acme/tidemark:environment:drill-azure-prod" && !contains(keys(output.subjects), "release")
    error_message = jsonencode(output.subjects)
  }
  assert {
    condition = alltrue([
      for assignment in concat(values(azurerm_role_assignment.plan), values(azurerm_role_assignment.apply), values(azurerm_role_assignment.lock), values(azurerm_role_assignment.assign)) :
      assignment.principal_id != azurerm_user_assigned_identity.this["drill"].principal_id
    ])
    error_message = "Its rights are at the containers of one tenant."
  }
}

run "a_pattern_for_a_repository_is_refused" {
  command = plan
  variables {
    repository = "acme/*"
  }
  expect_failures = [var.repository]
}

run "a_subscription_is_no_scope" {
  command = plan
  variables {
    scopes = { all = "/subscriptions/s" }
  }
  expect_failures = [var.scopes]
}
