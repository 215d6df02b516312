mock_provider "aws" {
  source = "../mocks"
}

variables {
  name        = "acme-tidemark-prod-euc1"
  bucket      = "acme-tidemark-prod-euc1-archive"
  kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1"
  tags        = { app = "tidemark" }
}

run "silence_is_an_alarm" {
  command = plan
  assert {
    # No requests are no data, not zero.
    condition     = aws_cloudwatch_metric_alarm.this["archive-silent"].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.this["archive-silent"].evaluation_periods == 15
    error_message = "A dead sidecar raises no alarm."
  }
  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.this)) == toset(["archive-silent", "archive-errors"])
    error_message = jsonencode(keys(aws_cloudwatch_metric_alarm.this))
  }
}

run "a_replica_is_watched" {
  command = plan
  variables {
    replica = { bucket = "acme-tidemark-prod-euc1-archive-replica", region = "eu-west-1" }
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["replica-behind"].threshold == 900 && contains(keys(aws_cloudwatch_metric_alarm.this), "replica-failed")
    error_message = "Nobody sees a replica that is behind."
  }
  assert {
    condition     = strcontains(aws_cloudwatch_event_rule.tampering["bucket-changed"].event_pattern, "acme-tidemark-prod-euc1-archive-replica")
    error_message = "Changes of the replica raise no alarm."
  }
}

run "whoever_endangers_the_key_is_seen" {
  command = plan
  assert {
    condition     = strcontains(aws_cloudwatch_event_rule.tampering["key-endangered"].event_pattern, "ScheduleKeyDeletion") && strcontains(aws_cloudwatch_event_rule.tampering["key-endangered"].event_pattern, var.kms_key_arn)
    error_message = aws_cloudwatch_event_rule.tampering["key-endangered"].event_pattern
  }
}
