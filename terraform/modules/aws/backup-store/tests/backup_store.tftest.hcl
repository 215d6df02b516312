mock_provider "aws" {
  source = "../mocks"
}

variables {
  bucket = "acme-tidemark-dev-euc1-archive"
  lock   = { mode = "governance", days = 14 }
  tags   = { app = "tidemark" }
}

run "the_bucket_is_locked_versioned_and_closed" {
  command = plan
  assert {
    condition     = aws_s3_bucket.archive.object_lock_enabled && aws_s3_bucket_object_lock_configuration.archive.object_lock_enabled == "Enabled" && aws_s3_bucket_versioning.archive.versioning_configuration[0].status == "Enabled"
    error_message = "An archive without lock or versions."
  }
  assert {
    # Heartbeats below control/ would be kept for as long as backups.
    condition     = length(aws_s3_bucket_object_lock_configuration.archive.rule) == 0
    error_message = "The bucket has a default retention."
  }
  assert {
    condition     = aws_s3_bucket.archive.force_destroy == false
    error_message = "Backups would be deleted with the bucket."
  }
  assert {
    condition     = length(aws_s3_bucket.replica) == 0
    error_message = "A replica that nobody asked for."
  }
}

run "the_url_asks_for_the_agreed_lock" {
  command = plan
  assert {
    condition     = strcontains(output.url_query, "retention_days=14&retention_mode=governance") && strcontains(output.url_query, "sse=aws:kms")
    error_message = output.url_query
  }
}

run "a_replica_is_locked_too_and_takes_no_deletions" {
  command = plan
  variables {
    replica = { region = "eu-west-1" }
  }
  assert {
    condition     = aws_s3_bucket.replica["replica"].object_lock_enabled && aws_s3_bucket.replica["replica"].region == "eu-west-1"
    error_message = "The replica is not locked, or not elsewhere."
  }
  assert {
    condition     = aws_s3_bucket_replication_configuration.archive["replica"].rule[0].delete_marker_replication[0].status == "Disabled"
    error_message = "Deletions are replicated."
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.replication["replica"].policy, "ReplicateDelete") && !strcontains(aws_iam_role_policy.replication["replica"].policy, "Bypass")
    error_message = "The role of the replication deletes or goes around locks."
  }
}

run "large_objects_get_cold_where_that_is_asked_for" {
  command = plan
  variables {
    cold_after_days = 60
  }
  assert {
    condition     = length([for rule in aws_s3_bucket_lifecycle_configuration.archive.rule : rule if rule.id == "cold" ? rule.filter[0].object_size_greater_than == 131072 : false]) == 1
    error_message = "Small objects are charged more there than here."
  }
}

run "compliance_needs_a_second_word" {
  command = plan
  variables {
    lock = { mode = "compliance", days = 35 }
  }
  expect_failures = [var.compliance_is_final]
}

run "compliance_with_it" {
  command = plan
  variables {
    lock                = { mode = "compliance", days = 35 }
    compliance_is_final = true
  }
  assert {
    condition     = strcontains(local.bucket_policy, "\"COMPLIANCE\"")
    error_message = "The bucket's policy agrees to another mode."
  }
}

run "nonsense_is_refused" {
  command = plan
  variables {
    bucket          = "Archive"
    lock            = { mode = "forever", days = 30 }
    noncurrent_days = 1
  }
  expect_failures = [var.bucket, var.lock, var.noncurrent_days]
}

run "a_lock_of_no_days_is_refused" {
  command = plan
  variables {
    lock = { mode = "governance", days = 0 }
  }
  expect_failures = [var.lock]
}
