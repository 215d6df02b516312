# What the pipelines may do at most, whatever they are given, and what the one that applies is given.
#
# Who may make roles could make one that may do anything, and become it. So whoever applies makes and changes only roles that carry the boundary `workload`, takes it from none, and
# changes neither these policies nor the roles of pipelines. All of this is applied by an administrator (00-bootstrap), never by a pipeline.

data "aws_partition" "this" {}
data "aws_caller_identity" "this" {}

locals {
  partition = data.aws_partition.this.partition
  account   = data.aws_caller_identity.this.account_id
  iam       = "arn:${local.partition}:iam::${local.account}"
  workload  = "${local.iam}:policy/${var.name}-workload"
  states    = "arn:${local.partition}:s3:::${var.state_bucket}"
  archives  = var.archive_bucket_arns

  # Of which a service lets nobody say on what: bound to regions instead.
  here = { StringEquals = { "aws:RequestedRegion" = var.regions } }

  # Looking, without the contents of buckets, parameters or secrets.
  look = [
    "autoscaling:Describe*", "cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*", "ec2:Describe*", "ec2:Get*", "ecr:Describe*", "ecr:Get*", "ecr:List*",
    "eks:Describe*", "eks:List*", "events:Describe*", "events:List*", "iam:Get*", "iam:List*", "kms:Describe*", "kms:Get*", "kms:List*", "logs:Describe*", "logs:List*",
    "s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:GetMetricsConfiguration", "s3:GetReplicationConfiguration",
    "s3:ListAllMyBuckets", "s3:ListBucket", "s3:ListTagsForResource", "sns:Get*", "sns:List*", "sts:GetCallerIdentity", "tag:Get*", "wafv2:Get*", "wafv2:List*",
  ]

  role_changes = [
    "iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePermissionsBoundary", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PassRole",
    "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription",
  ]
  # Those of which IAM says which boundary the role has, or gets.
  knows_boundary = ["iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]

  # Backups are for the roles of tenants, their locks for nobody here.
  no_backups = length(local.archives) == 0 ? [] : [
    {
      Sid    = "NoBackups"
      Effect = "Deny"
      Action = [
        "s3:AbortMultipartUpload", "s3:BypassGovernanceRetention", "s3:DeleteObject*", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject*", "s3:ReplicateDelete", "s3:RestoreObject",
      ]
      Resource = [for arn in local.archives : "${arn}/*"]
    },
    { Sid = "BackupsStay", Effect = "Deny", Action = ["s3:DeleteBucket", "s3:DeleteBucketPolicy"], Resource = local.archives },
  ]

  # What is denied at a bucket is not denied at an access point of it, which has a name of its own.
  no_other_door = { Sid = "NoOtherDoor", Effect = "Deny", Action = "s3:Create*AccessPoint*", Resource = "*" }

  # Their policies say who may end them. They are known by the tag Name, which is that of the bucket (backup-store), so that stays, too.
  archive_keys = { "aws:ResourceTag/Name" = [for arn in local.archives : element(split(":::", arn), 1)] }
  archive_keys_stay = [
    for one in [
      { Sid = "ArchiveKeysStay", Effect = "Deny", Action = ["kms:PutKeyPolicy", "kms:UntagResource"], Resource = "*", Condition = { StringEquals = local.archive_keys } },
      { Sid = "TheirNamesStay", Effect = "Deny", Action = "kms:TagResource", Resource = "*", Condition = { StringEquals = local.archive_keys, Null = { "aws:RequestTag/Name" = "false" } } },
    ] : one if length(local.archives) > 0
  ]

  boundaries = {
    plan = concat(local.no_backups, [
      { Sid = "Look", Effect = "Allow", Action = local.look, Resource = "*" },
      { Sid = "ReadStates", Effect = "Allow", Action = "s3:GetObject", Resource = "${local.states}/*" },
      { Sid = "DecryptStates", Effect = "Allow", Action = "kms:Decrypt", Resource = var.state_kms_key_arn },
    ])

    apply = concat(local.no_backups, [
      {
        Sid      = "Most"
        Effect   = "Allow"
        Action   = concat(local.look, local.role_changes, ["cloudwatch:*", "ec2:*", "ecr:*", "eks:*", "events:*", "iam:CreateServiceLinkedRole", "kms:*", "logs:*", "s3:*", "sns:*", "wafv2:*"])
        Resource = "*"
      },
      { Sid = "PipelinesStay", Effect = "Deny", Action = local.role_changes, Resource = "${local.iam}:role/*-github-*" },
      { Sid = "BoundariesStay", Effect = "Deny", Action = "iam:DeleteRolePermissionsBoundary", Resource = "*" },
      { Sid = "OnlyWithinABoundary", Effect = "Deny", Action = local.knows_boundary, Resource = "*", Condition = { StringNotEquals = { "iam:PermissionsBoundary" = local.workload } } },
      {
        Sid    = "StatesStay"
        Effect = "Deny"
        Action = [
          "s3:DeleteBucket*", "s3:DeleteObjectVersion", "s3:PutBucket*", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration", "s3:PutReplicationConfiguration",
        ]
        Resource = [local.states, "${local.states}/*"]
      },
      # Who could write it could have an administrator apply anything.
      { Sid = "BootstrapStays", Effect = "Deny", Action = ["s3:DeleteObject", "s3:PutObject"], Resource = ["${local.states}/00-bootstrap.tfstate", "${local.states}/00-bootstrap.tfstate.*"] },
      {
        Sid       = "StateKeyStays"
        Effect    = "Deny"
        NotAction = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"]
        Resource  = var.state_kms_key_arn
      },
      local.no_other_door,
      # No plan that a pipeline applies ends a key, and what is encrypted with one ends with it.
      { Sid = "KeysStay", Effect = "Deny", Action = ["kms:DisableKey", "kms:ScheduleKeyDeletion"], Resource = "*" },
    ], local.archive_keys_stay)

    # Of every role that the modules make: nodes, addons, controllers, tenants, replication.
    workload = [
      {
        Sid    = "Most"
        Effect = "Allow"
        Action = [
          "acm:DescribeCertificate", "acm:ListCertificates", "autoscaling:*", "cloudwatch:PutMetricData", "cognito-idp:DescribeUserPoolClient", "ec2:*", "ecr:*", "eks-auth:AssumeRoleForPodIdentity",
          "eks:Describe*", "elasticloadbalancing:*", "iam:CreateServiceLinkedRole", "iam:GetServerCertificate", "iam:ListServerCertificates", "kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey",
          "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*", "logs:*", "s3:*", "shield:*", "sts:GetCallerIdentity", "tag:GetResources", "waf-regional:*", "wafv2:*",
        ]
        Resource = "*"
      },
      {
        Sid    = "NoBucketIsChanged"
        Effect = "Deny"
        Action = [
          "s3:BypassGovernanceRetention", "s3:CreateBucket", "s3:DeleteBucket*", "s3:PutBucket*", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration", "s3:PutObjectAcl",
          "s3:PutReplicationConfiguration",
        ]
        Resource = "*"
      },
      { Sid = "NoStates", Effect = "Deny", Action = ["s3:*", "kms:*"], Resource = [local.states, "${local.states}/*", var.state_kms_key_arn] },
      local.no_other_door,
    ]
  }
}

locals {
  documents = { for name, statements in merge(local.boundaries, local.grants) : name => jsonencode({ Version = "2012-10-17", Statement = statements }) }
}

resource "aws_iam_policy" "boundary" {
  for_each = local.boundaries

  name        = each.key == "workload" ? "${var.name}-workload" : "${var.name}-github-${each.key}-boundary"
  description = "What ${each.key == "workload" ? "a role of a workload" : "the pipeline that ${each.key == "plan" ? "plans" : "applies"}"} may do at most. It gives nothing."
  policy      = local.documents[each.key]
  tags        = var.tags
}
