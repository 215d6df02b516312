# A copy in a second region, locked as well: replication takes each object's retention along. Deletions are not replicated, neither markers nor versions,
# so what an expirer, or a thief of its credentials, deletes here is still there, until the replica's own noncurrent rule or a person removes it.

locals {
  replica_bucket = "${var.bucket}-replica"
  replica_arn    = "arn:${local.partition}:s3:::${local.replica_bucket}"
  replicas       = local.replicated ? { replica = var.replica } : {}
}

resource "aws_kms_key" "replica" {
  for_each = local.replicas

  region                  = each.value.region
  description             = "Archive in ${local.replica_bucket}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = local.key_policy
  tags                    = merge(var.tags, { Name = local.replica_bucket })

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket" "replica" {
  for_each = local.replicas

  region              = each.value.region
  bucket              = local.replica_bucket
  object_lock_enabled = true
  force_destroy       = false
  tags                = merge(var.tags, { Name = local.replica_bucket })

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "replica" {
  for_each = local.replicas

  region = each.value.region
  bucket = aws_s3_bucket.replica[each.key].bucket
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "replica" {
  for_each = local.replicas

  region              = each.value.region
  bucket              = aws_s3_bucket.replica[each.key].bucket
  object_lock_enabled = "Enabled"

  depends_on = [aws_s3_bucket_versioning.replica]
}

resource "aws_s3_bucket_server_side_encryption_configuration" "replica" {
  for_each = local.replicas

  region = each.value.region
  bucket = aws_s3_bucket.replica[each.key].bucket
  rule {
    bucket_key_enabled       = true
    blocked_encryption_types = ["SSE-C"]
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.replica[each.key].arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "replica" {
  for_each = local.replicas

  region                  = each.value.region
  bucket                  = aws_s3_bucket.replica[each.key].bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "replica" {
  for_each = local.replicas

  region = each.value.region
  bucket = aws_s3_bucket.replica[each.key].bucket
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_policy" "replica" {
  for_each = local.replicas

  region = each.value.region
  bucket = aws_s3_bucket.replica[each.key].bucket
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      merge(local.only_tls, { Resource = [local.replica_arn, "${local.replica_arn}/*"] }),
      merge(local.only_modern_tls, { Resource = [local.replica_arn, "${local.replica_arn}/*"] }),
      {
        Sid       = "AroundALockByBreakGlassOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:BypassGovernanceRetention"
        Resource  = "${local.replica_arn}/*"
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = length(var.break_glass_arns) == 0 ? ["arn:${local.partition}:iam::${local.account}:role/nobody"] : var.break_glass_arns } }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.replica]
}

resource "aws_s3_bucket_lifecycle_configuration" "replica" {
  for_each = local.replicas

  region = each.value.region
  bucket = aws_s3_bucket.replica[each.key].bucket

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  rule {
    id     = "heartbeats"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days           = 1
      newer_noncurrent_versions = 5
    }
  }

  depends_on = [aws_s3_bucket_versioning.replica]
}

resource "aws_iam_role" "replication" {
  for_each = local.replicas

  name                 = "${substr(var.bucket, 0, 52)}-replication"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account }, ArnLike = { "aws:SourceArn" = local.arn } }
    }]
  })
  tags = var.tags
}

resource "aws_iam_role_policy" "replication" {
  for_each = local.replicas

  name = "replicate"
  role = aws_iam_role.replication[each.key].id
  # No ReplicateDelete, no bypass: a copy is made and never undone.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadConfiguration"
        Effect   = "Allow"
        Action   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
        Resource = local.arn
      },
      {
        Sid      = "ReadVersions"
        Effect   = "Allow"
        Action   = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging", "s3:GetObjectRetention", "s3:GetObjectLegalHold"]
        Resource = "${local.arn}/*"
      },
      {
        Sid      = "WriteReplicas"
        Effect   = "Allow"
        Action   = ["s3:ReplicateObject", "s3:ReplicateTags"]
        Resource = "${local.replica_arn}/*"
      },
      {
        Sid       = "Decrypt"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = aws_kms_key.archive.arn
        Condition = { StringLike = { "kms:ViaService" = "s3.${data.aws_region.this.region}.amazonaws.com", "kms:EncryptionContext:aws:s3:arn" = [local.arn, "${local.arn}/*"] } }
      },
      {
        Sid       = "Encrypt"
        Effect    = "Allow"
        Action    = ["kms:Encrypt", "kms:GenerateDataKey"]
        Resource  = aws_kms_key.replica[each.key].arn
        Condition = { StringLike = { "kms:ViaService" = "s3.${each.value.region}.amazonaws.com", "kms:EncryptionContext:aws:s3:arn" = [local.replica_arn, "${local.replica_arn}/*"] } }
      },
    ]
  })
}

resource "aws_s3_bucket_replication_configuration" "archive" {
  for_each = local.replicas

  bucket = aws_s3_bucket.archive.bucket
  role   = aws_iam_role.replication[each.key].arn

  rule {
    id       = "everything"
    status   = "Enabled"
    priority = 1
    filter {}

    delete_marker_replication {
      status = "Disabled"
    }

    source_selection_criteria {
      sse_kms_encrypted_objects {
        status = "Enabled"
      }
    }

    destination {
      bucket        = local.replica_arn
      storage_class = each.value.storage_class

      encryption_configuration {
        replica_kms_key_id = aws_kms_key.replica[each.key].arn
      }

      # Within fifteen minutes, with metrics that alarms can be made of.
      replication_time {
        status = "Enabled"
        time {
          minutes = 15
        }
      }
      metrics {
        status = "Enabled"
        event_threshold {
          minutes = 15
        }
      }
    }
  }

  depends_on = [
    aws_s3_bucket_versioning.archive, aws_s3_bucket_versioning.replica, aws_s3_bucket_object_lock_configuration.replica, aws_iam_role_policy.replication
  ]
}
