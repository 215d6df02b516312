run "names_carry_organisation_environment_and_region" {
  command = plan
  variables {
    organisation = "acme"
    environment  = "prod"
    region       = "eu-central-1"
  }
  assert {
    condition     = output.cluster == "acme-tidemark-prod-euc1-k8s"
    error_message = output.cluster
  }
  assert {
    condition     = output.archive == "acme-tidemark-prod-euc1-archive"
    error_message = output.archive
  }
}

run "a_suffix_makes_names_of_a_restore_fresh" {
  command = plan
  variables {
    organisation = "acme"
    environment  = "restore"
    region       = "eu-central-1"
    suffix       = "7f3a9c"
  }
  assert {
    condition     = output.cluster == "acme-tidemark-restore-euc1-k8s-7f3a9c"
    error_message = output.cluster
  }
  assert {
    condition     = endswith(output.network, "-7f3a9c") && endswith(output.storage_account, "7f3a9c") && endswith(output.key_vault, "7f3a9c")
    error_message = "A name has lost its suffix."
  }
}

run "regions_that_begin_alike_stay_apart" {
  command = plan
  variables {
    organisation = "acme"
    environment  = "dev"
    region       = "ap-southeast-1"
  }
  assert {
    condition     = output.region_short == "apse1"
    error_message = output.region_short
  }
}

run "the_longest_parts_fit_the_strictest_services" {
  command = plan
  variables {
    organisation = "abcdefgh"
    application  = "abcdefghij"
    environment  = "staging"
    region       = "germanywestcentral"
    suffix       = "12345678"
  }
  assert {
    condition     = can(regex("^[a-z0-9]{3,24}$", output.storage_account)) && endswith(output.storage_account, "12345678")
    error_message = output.storage_account
  }
  assert {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", output.key_vault))
    error_message = output.key_vault
  }
  assert {
    condition     = can(regex("^[a-z0-9]{5,50}$", output.container_registry))
    error_message = output.container_registry
  }
  assert {
    condition     = length(output.archive) <= 63
    error_message = output.archive
  }
  # 8 + 10 + 7 + 3 + k8s + 8 and five hyphens are 44.
  expect_failures = [output.cluster]
}

run "what_no_service_would_take_is_refused" {
  command = plan
  variables {
    organisation = "Acme Corp"
    application  = "tide-mark"
    environment  = "prod-1"
    region       = "Frankfurt"
    suffix       = "x"
  }
  expect_failures = [var.organisation, var.application, var.environment, var.region, var.suffix]
}
