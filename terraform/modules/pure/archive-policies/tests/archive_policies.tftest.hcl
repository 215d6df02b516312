variables {
  bucket                 = "acme-tidemark-prod-euc1-archive"
  prefix                 = "shop"
  kms_key_arn            = "arn:aws:kms:eu-central-1:123456789012:key/1"
  longest_retention_days = 35
}

run "three_roles" {
  command = plan
  assert {
    condition     = toset(keys(output.documents)) == toset(["writer", "reader", "expirer"])
    error_message = jsonencode(keys(output.documents))
  }
  assert {
    condition     = alltrue([for document in values(output.documents) : !strcontains(document, "\"s3:*\"") || strcontains(document, "\"OnlyTls\"")])
    error_message = "s3:* stands in a denial only."
  }
}

run "a_pattern_as_prefix_is_refused" {
  command = plan
  variables {
    prefix = "shop*"
  }
  expect_failures = [var.prefix]
}

run "an_empty_prefix_is_refused" {
  command = plan
  variables {
    prefix = ""
  }
  expect_failures = [var.prefix]
}

run "a_policy_that_iam_would_not_take_is_refused" {
  command = plan
  variables {
    prefix = join("/", [for number in range(60) : "part-${number}"])
  }
  expect_failures = [output.documents]
}

run "a_lock_for_ever_is_refused" {
  command = plan
  variables {
    longest_retention_days = 36500
  }
  expect_failures = [var.longest_retention_days]
}
