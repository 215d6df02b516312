# The bucket of the archive. It survives clusters: it lies in a state of its own and is never destroyed by Terraform.
#
# There is no default retention: leases and marks below control/ are replaced every few seconds, and would all be kept. The sidecar gives each other object its
# own retention (retention_days and retention_mode of the archive's URL); the bucket's policy sees to it that a retention, where one is given, is the agreed one.

data "aws_region" "this" {}
data "aws_partition" "this" {}
data "aws_caller_identity" "this" {}

locals {
  partition  = data.aws_partition.this.partition
  account    = data.aws_caller_identity.this.account_id
  arn        = "arn:${local.partition}:s3:::${var.bucket}"
  root       = "arn:${local.partition}:iam::${local.account}:root"
  replicated = var.replica != null
}

resource "aws_kms_key" "archive" {
  description             = "Archive in ${var.bucket}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = local.key_policy
  tags                    = merge(var.tags, { Name = var.bucket })

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "archive" {
  name          = "alias/${var.bucket}"
  target_key_id = aws_kms_key.archive.key_id
}

resource "aws_s3_bucket" "archive" {
  bucket              = var.bucket
  object_lock_enabled = true
  force_destroy       = false
  tags                = merge(var.tags, { Name = var.bucket })

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "archive" {
  bucket = aws_s3_bucket.archive.bucket
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "archive" {
  bucket              = aws_s3_bucket.archive.bucket
  object_lock_enabled = "Enabled"

  depends_on = [aws_s3_bucket_versioning.archive]
}

resource "aws_s3_bucket_server_side_encryption_configuration" "archive" {
  bucket = aws_s3_bucket.archive.bucket
  rule {
    bucket_key_enabled = true
    # Keys that the caller brings are how archives were taken hostage.
    blocked_encryption_types = ["SSE-C"]
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.archive.arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "archive" {
  bucket                  = aws_s3_bucket.archive.bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "archive" {
  bucket = aws_s3_bucket.archive.bucket
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_policy" "archive" {
  bucket = aws_s3_bucket.archive.bucket
  policy = local.bucket_policy

  # A policy that is put while public access is still being blocked is refused at times.
  depends_on = [aws_s3_bucket_public_access_block.archive]
}

resource "aws_s3_bucket_lifecycle_configuration" "archive" {
  bucket = aws_s3_bucket.archive.bucket

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  rule {
    id     = "what-was-deleted"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }
    expiration {
      expired_object_delete_marker = true
    }
  }

  # A heartbeat has tens of thousands of versions each day; anything else has one or two.
  rule {
    id     = "heartbeats"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days           = 1
      newer_noncurrent_versions = 5
    }
  }

  dynamic "rule" {
    for_each = var.cold_after_days == null ? [] : [var.cold_after_days]
    content {
      id     = "cold"
      status = "Enabled"
      # What is smaller costs more there than here.
      filter {
        object_size_greater_than = 131072
      }
      transition {
        days          = rule.value
        storage_class = "GLACIER_IR"
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.archive]
}

resource "aws_s3_bucket_logging" "archive" {
  bucket        = aws_s3_bucket.archive.bucket
  target_bucket = aws_s3_bucket.logs.bucket
  target_prefix = "archive/"
}

# Request metrics: without them there is no alarm on errors or on silence.
resource "aws_s3_bucket_metric" "archive" {
  bucket = aws_s3_bucket.archive.bucket
  name   = "EntireBucket"
}
