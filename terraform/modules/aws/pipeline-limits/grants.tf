# What the modules make, named as they name it. Looking is given by ReadOnlyAccess, within the boundary.

locals {
  regional = { for service in ["cloudwatch", "ecr", "eks", "events", "kms", "logs", "sns", "wafv2"] : service => "arn:${local.partition}:${service}:*:${local.account}" }
  roles    = "${local.iam}:role/${var.name}-*"

  grants = {
    cluster = [
      {
        Sid    = "Network"
        Effect = "Allow"
        Action = [
          "ec2:AllocateAddress", "ec2:AssociateAddress", "ec2:AssociateRouteTable", "ec2:AttachInternetGateway", "ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress",
          "ec2:CreateFlowLogs", "ec2:CreateInternetGateway", "ec2:CreateLaunchTemplate", "ec2:CreateLaunchTemplateVersion", "ec2:CreateNatGateway", "ec2:CreateRoute", "ec2:CreateRouteTable",
          "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateTags", "ec2:CreateVpc", "ec2:CreateVpcEndpoint", "ec2:DeleteFlowLogs", "ec2:DeleteInternetGateway", "ec2:DeleteLaunchTemplate",
          "ec2:DeleteLaunchTemplateVersions", "ec2:DeleteNatGateway", "ec2:DeleteRoute", "ec2:DeleteRouteTable", "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteTags", "ec2:DeleteVpc",
          "ec2:DeleteVpcEndpoints", "ec2:DetachInternetGateway", "ec2:DisassociateAddress", "ec2:DisassociateRouteTable", "ec2:ModifyLaunchTemplate", "ec2:ModifySecurityGroupRules",
          "ec2:ModifySubnetAttribute", "ec2:ModifyVpcAttribute", "ec2:ModifyVpcEndpoint", "ec2:ReleaseAddress", "ec2:ReplaceRoute", "ec2:ReplaceRouteTableAssociation",
          "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress", "ec2:RunInstances", "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
        ]
        Resource  = "*"
        Condition = local.here
      },
      { Sid = "NewCluster", Effect = "Allow", Action = "eks:CreateCluster", Resource = "*", Condition = local.here }, # knows no resource
      {
        Sid    = "Cluster"
        Effect = "Allow"
        Action = [
          "eks:AssociateAccessPolicy", "eks:CreateAccessEntry", "eks:CreateAddon", "eks:CreateNodegroup", "eks:CreatePodIdentityAssociation", "eks:DeleteAccessEntry",
          "eks:DeleteAddon", "eks:DeleteCluster", "eks:DeleteNodegroup", "eks:DeletePodIdentityAssociation", "eks:DisassociateAccessPolicy", "eks:TagResource", "eks:UntagResource",
          "eks:UpdateAccessEntry", "eks:UpdateAddon", "eks:UpdateClusterConfig", "eks:UpdateClusterVersion", "eks:UpdateNodegroupConfig", "eks:UpdateNodegroupVersion",
          "eks:UpdatePodIdentityAssociation",
        ]
        Resource = [for kind in ["access-entry", "addon", "cluster", "nodegroup", "podidentityassociation"] : "${local.regional["eks"]}:${kind}/${var.name}-*"]
      },
      {
        Sid    = "Roles"
        Effect = "Allow"
        Action = [for action in local.role_changes : action if !contains(["iam:DeleteRolePermissionsBoundary", "iam:PassRole"], action)]
        # Nodes, addons, controllers, tenants, flow logs, replication; the boundary says within which limits.
        Resource = local.roles
      },
      {
        Sid       = "GiveRoles"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = local.roles
        Condition = { StringEquals = { "iam:PassedToService" = ["ec2.amazonaws.com", "eks.amazonaws.com", "pods.eks.amazonaws.com", "s3.amazonaws.com", "vpc-flow-logs.amazonaws.com"] } }
      },
      {
        Sid      = "RolesOfServices"
        Effect   = "Allow"
        Action   = "iam:CreateServiceLinkedRole"
        Resource = "${local.iam}:role/aws-service-role/*"
        Condition = { StringEquals = { "iam:AWSServiceName" = [
          "autoscaling.amazonaws.com", "eks-nodegroup.amazonaws.com", "eks.amazonaws.com", "elasticloadbalancing.amazonaws.com", "replication.ecr.amazonaws.com", "wafv2.amazonaws.com",
        ] } }
      },
    ]

    data = [
      {
        Sid    = "Buckets"
        Effect = "Allow"
        Action = [
          "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:PutBucketLogging", "s3:PutBucketObjectLockConfiguration", "s3:PutBucketOwnershipControls", "s3:PutBucketPolicy",
          "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration", "s3:PutMetricsConfiguration",
          "s3:PutReplicationConfiguration", "s3:TagResource", "s3:UntagResource",
        ]
        Resource = "arn:${local.partition}:s3:::${var.name}-*"
      },
      # Which a key will be is known when it is there: those of this environment, by their tags.
      { Sid = "NewKeys", Effect = "Allow", Action = ["kms:CreateKey", "kms:TagResource"], Resource = "*", Condition = { StringEquals = merge(local.here.StringEquals, { "aws:RequestTag/env" = var.tags.env }) } },
      {
        Sid    = "Keys"
        Effect = "Allow"
        Action = [
          "kms:CancelKeyDeletion", "kms:CreateAlias", "kms:CreateGrant", "kms:DeleteAlias", "kms:EnableKeyRotation", "kms:PutKeyPolicy", "kms:TagResource",
          "kms:UpdateAlias", "kms:UpdateKeyDescription",
        ]
        Resource  = "${local.regional["kms"]}:key/*"
        Condition = { StringEquals = { "aws:ResourceTag/env" = var.tags.env, "aws:ResourceTag/app" = var.tags.app } }
      },
      { Sid = "NamesOfKeys", Effect = "Allow", Action = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"], Resource = "${local.regional["kms"]}:alias/${var.name}-*" },
      {
        Sid    = "Images"
        Effect = "Allow"
        Action = [
          "ecr:CreateRepository", "ecr:DeleteLifecyclePolicy", "ecr:DeleteRepository", "ecr:DeleteRepositoryPolicy", "ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability",
          "ecr:PutLifecyclePolicy", "ecr:SetRepositoryPolicy", "ecr:TagResource", "ecr:UntagResource",
        ]
        Resource = "${local.regional["ecr"]}:repository/${var.repository_prefix}/*"
      },
      { Sid = "CopiesOfImages", Effect = "Allow", Action = "ecr:PutReplicationConfiguration", Resource = "*", Condition = local.here }, # knows no resource
      {
        Sid    = "Logs"
        Effect = "Allow"
        Action = [
          "logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DisassociateKmsKey", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource",
        ]
        Resource = [for name in ["/aws/eks/${var.name}-*", "/tidemark/${var.name}-*", "aws-waf-logs-${var.name}-*"] : "${local.regional["logs"]}:log-group:${name}"]
      },
      {
        Sid       = "DeliverLogs"
        Effect    = "Allow"
        Action    = ["logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:PutResourcePolicy", "logs:UpdateLogDelivery"]
        Resource  = "*" # know no resource
        Condition = local.here
      },
      {
        Sid    = "Alarms"
        Effect = "Allow"
        Action = [
          "cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource", "events:DeleteRule", "events:PutRule", "events:PutTargets",
          "events:RemoveTargets", "events:TagResource", "events:UntagResource", "sns:CreateTopic", "sns:DeleteTopic", "sns:SetSubscriptionAttributes", "sns:SetTopicAttributes",
          "sns:Subscribe", "sns:TagResource", "sns:Unsubscribe", "sns:UntagResource",
        ]
        Resource = ["${local.regional["cloudwatch"]}:alarm:${var.name}-*", "${local.regional["events"]}:rule/${var.name}-*", "${local.regional["sns"]}:${var.name}-*"]
      },
      {
        Sid    = "Edge"
        Effect = "Allow"
        Action = [
          "wafv2:CreateWebACL", "wafv2:DeleteLoggingConfiguration", "wafv2:DeleteWebACL", "wafv2:PutLoggingConfiguration", "wafv2:TagResource", "wafv2:UntagResource", "wafv2:UpdateWebACL",
        ]
        Resource = ["${local.regional["wafv2"]}:regional/webacl/${var.name}-*/*", "arn:${local.partition}:wafv2:*:aws:regional/managedruleset/*"]
      },
    ]
  }
}

resource "aws_iam_policy" "grant" {
  for_each = local.grants

  name        = "${var.name}-github-apply-${each.key}"
  description = "What the pipeline that applies is given: ${each.key}."
  policy      = local.documents[each.key]
  tags        = var.tags
}
