# Addons with an identity of their own have it by Pod Identity; each role is for one service account of this cluster.

locals {
  pod_roles = {
    vpc-cni            = { service_account = "aws-node", policy = "AmazonEKS_CNI_Policy" }
    aws-ebs-csi-driver = { service_account = "ebs-csi-controller-sa", policy = "service-role/AmazonEBSCSIDriverPolicy" }
  }

  before_nodes = {
    eks-pod-identity-agent = null
    kube-proxy             = null
    # Policies are enforced from the first packet of a pod on; NETWORK_POLICY_ENFORCING_MODE=strict would be too early for DNS itself.
    vpc-cni = jsonencode({ enableNetworkPolicy = "true", env = { ENABLE_PREFIX_DELEGATION = "true", WARM_PREFIX_TARGET = "1" } })
  }

  after_nodes = {
    coredns            = jsonencode({ replicaCount = 2, nodeSelector = { "tidemark/pool" = "system" } })
    aws-ebs-csi-driver = jsonencode({ controller = { nodeSelector = { "tidemark/pool" = "system" } } })
    metrics-server     = null
  }
}

resource "aws_iam_role" "addon" {
  for_each = local.pod_roles

  name                 = "${var.name}-${each.key}"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = {
        StringEquals = {
          "aws:SourceAccount"                         = local.account
          "aws:RequestTag/kubernetes-namespace"       = "kube-system"
          "aws:RequestTag/kubernetes-service-account" = each.value.service_account
        }
        ArnEquals = { "aws:SourceArn" = aws_eks_cluster.this.arn }
      }
    }]
  })
  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "addon" {
  for_each = local.pod_roles

  role       = aws_iam_role.addon[each.key].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/${each.value.policy}"
}

resource "aws_eks_addon" "before_nodes" {
  for_each = local.before_nodes

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = lookup(var.addon_versions, each.key, null)
  configuration_values        = each.value
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  dynamic "pod_identity_association" {
    for_each = contains(keys(local.pod_roles), each.key) ? [local.pod_roles[each.key].service_account] : []
    content {
      service_account = pod_identity_association.value
      role_arn        = aws_iam_role.addon[each.key].arn
    }
  }

  tags = var.tags

  depends_on = [aws_iam_role_policy_attachment.addon]
}

resource "aws_eks_addon" "after_nodes" {
  for_each = local.after_nodes

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = lookup(var.addon_versions, each.key, null)
  configuration_values        = each.value
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  dynamic "pod_identity_association" {
    for_each = contains(keys(local.pod_roles), each.key) ? [local.pod_roles[each.key].service_account] : []
    content {
      service_account = pod_identity_association.value
      role_arn        = aws_iam_role.addon[each.key].arn
    }
  }

  tags = var.tags

  # They are pods that need a node, and time out without one.
  depends_on = [aws_eks_node_group.this, aws_iam_role_policy_attachment.addon]
}
