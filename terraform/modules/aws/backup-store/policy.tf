locals {
  only_tls = {
    Sid       = "OnlyTls"
    Effect    = "Deny"
    Principal = "*"
    Action    = "s3:*"
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }
  only_modern_tls = {
    Sid       = "OnlyModernTls"
    Effect    = "Deny"
    Principal = "*"
    Action    = "s3:*"
    Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
  }

  # A negated operator, also with IfExists, holds for a key that is absent: a denial of what is present and different needs Null beside it.
  bucket_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      merge(local.only_tls, { Resource = [local.arn, "${local.arn}/*"] }),
      merge(local.only_modern_tls, { Resource = [local.arn, "${local.arn}/*"] }),
      {
        Sid       = "OnlyKms"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObject"
        Resource  = "${local.arn}/*"
        Condition = { StringNotEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" }, Null = { "s3:x-amz-server-side-encryption" = "false" } }
      },
      {
        Sid       = "OnlyOwnKey"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObject"
        Resource  = "${local.arn}/*"
        Condition = { StringNotEquals = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = aws_kms_key.archive.arn }, Null = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "false" } }
      },
      {
        # Where there is one: parts of an upload, and control/, have none.
        Sid       = "OnlyAgreedLockMode"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:PutObject", "s3:PutObjectRetention"]
        Resource  = "${local.arn}/*"
        Condition = { StringNotEquals = { "s3:object-lock-mode" = upper(var.lock.mode) }, Null = { "s3:object-lock-mode" = "false" } }
      },
      {
        # Whole days remain, so a lock made now has one less.
        Sid       = "NoShorterLock"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:PutObject", "s3:PutObjectRetention"]
        Resource  = "${local.arn}/*"
        Condition = { NumericLessThan = { "s3:object-lock-remaining-retention-days" = tostring(var.lock.days - 1) } }
      },
      {
        Sid       = "AroundALockWithSecondFactorOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:BypassGovernanceRetention"
        Resource  = "${local.arn}/*"
        Condition = { BoolIfExists = { "aws:MultiFactorAuthPresent" = "false" } }
      },
      {
        Sid       = "AroundALockByBreakGlassOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:BypassGovernanceRetention"
        Resource  = "${local.arn}/*"
        # An empty list of exceptions would be no condition at all, and an error.
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = length(var.break_glass_arns) == 0 ? ["arn:${local.partition}:iam::${local.account}:role/nobody"] : var.break_glass_arns } }
      },
    ])
  })

  # The account's own policies decide who uses the key; deleting it deletes all backups at once, so that is for few.
  key_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "Account"
        Effect    = "Allow"
        Principal = { AWS = local.root }
        Action    = "kms:*"
        Resource  = "*"
      }],
      length(var.break_glass_arns) == 0 ? [] : [{
        Sid       = "DeleteByBreakGlassOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = ["kms:ScheduleKeyDeletion", "kms:DisableKey"]
        Resource  = "*"
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = var.break_glass_arns } }
      }],
    )
  })
}
