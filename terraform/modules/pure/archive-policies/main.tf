# The three roles of an archive on S3. They are those of docs/policies (a test compares them), with what a shared bucket needs besides: lists of the own
# prefix only, the key, and a limit to what may be locked. No resource, no provider: policies are values, and are judged as values.

locals {
  bucket  = "arn:${var.partition}:s3:::${var.bucket}"
  objects = "${local.bucket}/${var.prefix}"

  look = [
    {
      Sid      = "AskTheBucket"
      Effect   = "Allow"
      Action   = ["s3:GetBucketLocation", "s3:GetBucketObjectLockConfiguration", "s3:GetBucketVersioning"]
      Resource = local.bucket
    },
    {
      Sid       = "FindObjects"
      Effect    = "Allow"
      Action    = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
      Resource  = local.bucket
      Condition = { StringLike = { "s3:prefix" = "${var.prefix}/*" } }
    },
  ]

  # Replacing needs no permission of its own in S3: a second PutObject is a replacement. Only the condition tells them apart.
  create_only = {
    Sid         = "CreateOnlyOutsideControl"
    Effect      = "Deny"
    Action      = "s3:PutObject"
    NotResource = ["${local.objects}/*/control/*"]
    Condition = {
      Null = { "s3:if-none-match" = "true" }
      Bool = { "s3:ObjectCreationOperation" = "true" }
    }
  }

  only_tls = {
    Sid       = "OnlyTls"
    Effect    = "Deny"
    Action    = "s3:*"
    Resource  = [local.bucket, "${local.bucket}/*"]
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }

  # Uploads in parts read back what they encrypted, so a writer needs Decrypt, too. The key serves S3 and this bucket only.
  use_key = {
    Sid      = "UseKeyThroughS3"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = var.kms_key_arn
    Condition = {
      StringLike = {
        "kms:ViaService"                   = "s3.*.amazonaws.com"
        "kms:EncryptionContext:aws:s3:arn" = [local.bucket, "${local.objects}/*"]
      }
    }
  }

  never = {
    Sid    = "NeverAroundALock"
    Effect = "Deny"
    Action = ["s3:BypassGovernanceRetention", "s3:PutObjectLegalHold", "s3:PutBucketObjectLockConfiguration"]
    # Everything, and not the bucket only: no later grant makes these roles able to.
    Resource = "*"
  }

  writer = concat(local.look, [
    {
      Sid    = "ReadAndCreate"
      Effect = "Allow"
      Action = [
        "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:GetObjectRetention", "s3:PutObjectRetention"
      ]
      Resource = "${local.objects}/*"
    },
    {
      Sid      = "TidyControl"
      Effect   = "Allow"
      Action   = "s3:DeleteObject"
      Resource = "${local.objects}/*/control/*"
    },
    {
      Sid         = "NeverRemoveOutsideControl"
      Effect      = "Deny"
      Action      = ["s3:DeleteObject"]
      NotResource = ["${local.objects}/*/control/*"]
    },
    {
      Sid      = "NeverRemoveVersions"
      Effect   = "Deny"
      Action   = ["s3:DeleteObjectVersion"]
      Resource = "*"
    },
    {
      Sid       = "NeverLockForLong"
      Effect    = "Deny"
      Action    = ["s3:PutObject", "s3:PutObjectRetention"]
      Resource  = "${local.objects}/*"
      Condition = { NumericGreaterThan = { "s3:object-lock-remaining-retention-days" = tostring(var.longest_retention_days) } }
    },
    local.never, local.create_only, local.only_tls, local.use_key
  ])

  reader = concat(local.look, [
    {
      Sid      = "Read"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:GetObjectRetention", "s3:GetObjectLegalHold"]
      Resource = "${local.objects}/*"
    },
    {
      Sid      = "PinAndProtect"
      Effect   = "Allow"
      Action   = ["s3:PutObject", "s3:DeleteObject"]
      Resource = ["${local.objects}/*/control/pins/*", "${local.objects}/*/control/protect/*", "${local.objects}/*/control/freeze.json"]
    },
    {
      Sid      = "ReportDrills"
      Effect   = "Allow"
      Action   = "s3:PutObject"
      Resource = "${local.objects}/*/drills/*"
    },
    local.never, local.create_only, local.only_tls, local.use_key
  ])

  expirer = concat(local.look, [
    {
      Sid      = "Read"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:GetObjectRetention", "s3:GetObjectLegalHold", "s3:GetObjectVersion"]
      Resource = "${local.objects}/*"
    },
    {
      Sid       = "FindVersions"
      Effect    = "Allow"
      Action    = "s3:ListBucketVersions"
      Resource  = local.bucket
      Condition = { StringLike = { "s3:prefix" = "${var.prefix}/*" } }
    },
    {
      Sid      = "RecordAndExpire"
      Effect   = "Allow"
      Action   = ["s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"]
      Resource = [for part in ["snapshots", "oplog", "gaps", "references", "control"] : "${local.objects}/*/${part}/*"]
    },
    {
      Sid      = "NeverSetALock"
      Effect   = "Deny"
      Action   = ["s3:PutObjectRetention"]
      Resource = "*"
    },
    local.never, local.create_only, local.only_tls, local.use_key
  ])
}
