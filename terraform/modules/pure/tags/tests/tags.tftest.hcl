variables {
  environment = "prod"
  owner       = "platform@example.com"
  cost_center = "4711"
}

run "extra_tags_replace_none_of_ours" {
  command = plan
  variables {
    extra = { env = "other", team = "orders" }
  }
  assert {
    condition     = output.tags["env"] == "prod" && output.tags["team"] == "orders" && output.tags["managed-by"] == "terraform"
    error_message = jsonencode(output.tags)
  }
  assert {
    condition     = !contains(keys(output.tags), "tenant") && !contains(keys(output.tags), "restore-of")
    error_message = "Tags without a value are left out."
  }
}

run "what_a_restore_made_says_so" {
  command = plan
  variables {
    restore_of = "prod"
    tenant     = "shop"
  }
  assert {
    condition     = output.tags["restore-of"] == "prod" && output.tags["tenant"] == "shop"
    error_message = jsonencode(output.tags)
  }
}

run "nobody_owning_it_is_refused" {
  command = plan
  variables {
    owner       = " "
    cost_center = ""
    data_class  = "secret"
  }
  expect_failures = [var.owner, var.cost_center, var.data_class]
}

run "characters_that_a_cloud_refuses_are_refused_here" {
  command = plan
  variables {
    extra = { note = "a<b" }
  }
  expect_failures = [output.tags]
}
