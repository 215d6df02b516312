# Alarms from outside the cluster: they still come when cluster, Prometheus and Alertmanager are gone together.

data "aws_region" "this" {}
data "aws_partition" "this" {}
data "aws_caller_identity" "this" {}

locals {
  account = data.aws_caller_identity.this.account_id
  topic   = "arn:${data.aws_partition.this.partition}:sns:${data.aws_region.this.region}:${local.account}:${var.name}-alarms"

  alarms = merge(
    {
      archive-silent = {
        description = "Nothing was written to ${var.bucket} for ${var.silent_minutes} minutes: no sidecar archives (runbook ArchiveStalled)"
        metric      = "PutRequests", statistic = "Sum", comparison = "LessThanThreshold", threshold = 1, period = 60, periods = var.silent_minutes, missing = "breaching"
        dimensions  = { BucketName = var.bucket, FilterId = "EntireBucket" }
      }
      archive-errors = {
        description = "S3 answers requests for ${var.bucket} with errors (runbook RepositoryUnavailable)"
        metric      = "5xxErrors", statistic = "Average", comparison = "GreaterThanThreshold", threshold = 0.05, period = 300, periods = 3, missing = "notBreaching"
        dimensions  = { BucketName = var.bucket, FilterId = "EntireBucket" }
      }
    },
    var.replica == null ? {} : {
      replica-behind = {
        description = "The replica in ${var.replica.region} is more than 15 minutes behind: what a loss of the region would lose"
        metric      = "ReplicationLatency", statistic = "Maximum", comparison = "GreaterThanThreshold", threshold = 900, period = 300, periods = 3, missing = "notBreaching"
        dimensions  = { SourceBucket = var.bucket, DestinationBucket = var.replica.bucket, RuleId = "everything" }
      }
      replica-failed = {
        description = "Objects of ${var.bucket} could not be replicated; they are not tried again"
        metric      = "OperationsFailedReplication", statistic = "Sum", comparison = "GreaterThanThreshold", threshold = 0, period = 300, periods = 1, missing = "notBreaching"
        dimensions  = { SourceBucket = var.bucket, DestinationBucket = var.replica.bucket, RuleId = "everything" }
      }
    },
  )

  # What an attacker does first, and what nobody does on an ordinary day. Seen by CloudTrail's management events.
  tampering = {
    bucket-changed = {
      description = "Protection of the archive bucket was changed"
      pattern = {
        source        = ["aws.s3"]
        "detail-type" = ["AWS API Call via CloudTrail"]
        detail = {
          eventSource = ["s3.amazonaws.com"]
          eventName = [
            "DeleteBucket", "DeleteBucketPolicy", "DeleteBucketReplication", "PutBucketPolicy", "PutBucketLifecycle", "PutBucketReplication",
            "PutBucketVersioning", "PutBucketPublicAccessBlock", "DeleteBucketPublicAccessBlock", "PutBucketObjectLockConfiguration", "PutObjectLockConfiguration", "PutBucketEncryption", "DeleteBucketEncryption"
          ]
          requestParameters = { bucketName = compact([var.bucket, var.replica == null ? "" : var.replica.bucket]) }
        }
      }
    }
    key-endangered = {
      description = "The key of the archive was disabled, changed or scheduled for deletion: without it all backups are lost"
      pattern = {
        source        = ["aws.kms"]
        "detail-type" = ["AWS API Call via CloudTrail"]
        detail = {
          eventSource = ["kms.amazonaws.com"]
          eventName   = ["DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "DisableKeyRotation"]
          resources   = { ARN = [var.kms_key_arn] }
        }
      }
    }
  }
}

resource "aws_kms_key" "alarms" {
  description             = "Alarms of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Account"
        Effect    = "Allow"
        Principal = { AWS = "arn:${data.aws_partition.this.partition}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "Publish"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "events.amazonaws.com"] }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
      },
    ]
  })
  tags = merge(var.tags, { Name = "${var.name}-alarms" })
}

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = aws_kms_key.alarms.arn
  tags              = var.tags
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "PublishAlarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = local.topic
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      {
        # EventBridge heeds no conditions in policies of topics: with one, nothing would ever arrive.
        Sid       = "PublishEvents"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = local.topic
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "mail" {
  for_each = toset(var.addresses)

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.key
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/S3"
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  dimensions          = each.value.dimensions
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = each.value.period
  evaluation_periods  = each.value.periods
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = var.tags
}

resource "aws_cloudwatch_event_rule" "tampering" {
  for_each = local.tampering

  name          = "${var.name}-${each.key}"
  description   = each.value.description
  event_pattern = jsonencode(each.value.pattern)
  tags          = var.tags
}

resource "aws_cloudwatch_event_target" "tampering" {
  for_each = local.tampering

  rule      = aws_cloudwatch_event_rule.tampering[each.key].name
  target_id = "alarms"
  arn       = aws_sns_topic.alarms.arn
}
