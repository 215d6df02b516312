# What the AWS Load Balancer Controller needs for ALBs with a web ACL, and no more: no NLB with addresses of its own, no Shield, no Cognito. It makes what it
# tags as this cluster's, and changes only that.

locals {
  elb    = "arn:${local.partition}:elasticloadbalancing:${local.region}:${local.account}"
  tag    = "elbv2.k8s.aws/cluster"
  owned  = { StringEquals = { "aws:ResourceTag/${local.tag}" = var.cluster_name } }
  tagged = { StringEquals = { "aws:RequestTag/${local.tag}" = var.cluster_name } }
  albs   = ["${local.elb}:loadbalancer/app/*", "${local.elb}:targetgroup/*"]
  rules  = ["${local.elb}:listener/app/*", "${local.elb}:listener-rule/app/*"]

  alb_controller = [
    {
      Sid    = "Look"
      Effect = "Allow"
      Action = [
        "acm:DescribeCertificate", "acm:ListCertificates",
        "ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "ec2:DescribeAvailabilityZones", "ec2:DescribeInstances", "ec2:DescribeInternetGateways",
        "ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeTags", "ec2:DescribeVpcs",
        "elasticloadbalancing:DescribeListenerAttributes", "elasticloadbalancing:DescribeListenerCertificates", "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancerAttributes", "elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeSSLPolicies", "elasticloadbalancing:DescribeTags", "elasticloadbalancing:DescribeTargetGroupAttributes",
        "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth", "elasticloadbalancing:DescribeTrustStores",
        "wafv2:GetWebACL", "wafv2:GetWebACLForResource",
      ]
      Resource = "*" # these calls know no resources, or those of others have to be told apart
    },
    {
      Sid      = "BindWebAcl"
      Effect   = "Allow"
      Action   = ["wafv2:AssociateWebACL", "wafv2:DisassociateWebACL"]
      Resource = ["arn:${local.partition}:wafv2:${local.region}:${local.account}:regional/webacl/*", "${local.elb}:loadbalancer/app/*"]
    },
    {
      Sid       = "MakeSecurityGroups"
      Effect    = "Allow"
      Action    = "ec2:CreateSecurityGroup"
      Resource  = "arn:${local.partition}:ec2:${local.region}:${local.account}:security-group/*"
      Condition = local.tagged
    },
    {
      Sid      = "MakeSecurityGroupsHere"
      Effect   = "Allow"
      Action   = "ec2:CreateSecurityGroup"
      Resource = "arn:${local.partition}:ec2:${local.region}:${local.account}:vpc/${var.vpc_id}"
    },
    {
      Sid       = "TagNewSecurityGroups"
      Effect    = "Allow"
      Action    = "ec2:CreateTags"
      Resource  = "arn:${local.partition}:ec2:${local.region}:${local.account}:security-group/*"
      Condition = { StringEquals = { "ec2:CreateAction" = "CreateSecurityGroup", "aws:RequestTag/${local.tag}" = var.cluster_name } }
    },
    {
      Sid       = "ChangeOwnSecurityGroups"
      Effect    = "Allow"
      Action    = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress", "ec2:DeleteSecurityGroup", "ec2:CreateTags", "ec2:DeleteTags"]
      Resource  = "arn:${local.partition}:ec2:${local.region}:${local.account}:security-group/*"
      Condition = local.owned
    },
    {
      # The nodes' group is EKS's: the controller opens it for its load balancers.
      Sid       = "OpenTheNodes"
      Effect    = "Allow"
      Action    = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
      Resource  = "arn:${local.partition}:ec2:${local.region}:${local.account}:security-group/*"
      Condition = { StringEquals = { "aws:ResourceTag/aws:eks:cluster-name" = var.cluster_name } }
    },
    {
      Sid       = "MakeLoadBalancers"
      Effect    = "Allow"
      Action    = ["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"]
      Resource  = local.albs
      Condition = local.tagged
    },
    {
      Sid       = "TagNewLoadBalancers"
      Effect    = "Allow"
      Action    = "elasticloadbalancing:AddTags"
      Resource  = concat(local.albs, local.rules)
      Condition = { StringEquals = { "elasticloadbalancing:CreateAction" = ["CreateLoadBalancer", "CreateTargetGroup", "CreateListener", "CreateRule"], "aws:RequestTag/${local.tag}" = var.cluster_name } }
    },
    {
      Sid    = "ChangeOwnLoadBalancers"
      Effect = "Allow"
      Action = [
        "elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags", "elasticloadbalancing:CreateListener", "elasticloadbalancing:CreateRule",
        "elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:DeleteTargetGroup", "elasticloadbalancing:DeleteListener", "elasticloadbalancing:DeleteRule",
        "elasticloadbalancing:ModifyLoadBalancerAttributes", "elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:ModifyTargetGroupAttributes",
        "elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyListenerAttributes", "elasticloadbalancing:ModifyRule", "elasticloadbalancing:SetRulePriorities",
        "elasticloadbalancing:AddListenerCertificates", "elasticloadbalancing:RemoveListenerCertificates", "elasticloadbalancing:SetIpAddressType",
        "elasticloadbalancing:SetSecurityGroups", "elasticloadbalancing:SetSubnets", "elasticloadbalancing:SetWebAcl",
        "elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets",
      ]
      Resource  = concat(local.albs, local.rules)
      Condition = local.owned
    },
  ]
}
