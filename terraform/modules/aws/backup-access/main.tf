# Who may do what in the archive: for each tenant up to three roles (docs/object-stores.md, "Three roles"), given to service accounts by EKS Pod Identity.
#
# Trust is in the service principal, for one cluster, namespace and account. It names no OIDC issuer: that is new with each cluster, so trust in it (IRSA) breaks
# when a cluster is made again, without an error before the first backup that is missing.

data "aws_partition" "this" {}
data "aws_caller_identity" "this" {}

locals {
  tenants = {
    for name, tenant in var.tenants : name => merge(tenant, {
      namespace = coalesce(tenant.namespace, name)
      prefix    = coalesce(tenant.prefix, name)
    })
  }

  roles = merge([
    for name, tenant in local.tenants : {
      for role, account in { writer = tenant.writer, reader = tenant.reader, expirer = tenant.expirer } :
      "${name}-${role}" => { tenant = name, role = role, namespace = tenant.namespace, service_account = account } if account != null
    }
  ]...)
}

module "policies" {
  source   = "../../pure/archive-policies"
  for_each = local.tenants

  partition              = data.aws_partition.this.partition
  bucket                 = var.bucket
  prefix                 = each.value.prefix
  kms_key_arn            = var.kms_key_arn
  longest_retention_days = var.longest_retention_days
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name                 = "${var.cluster_name}-${each.key}"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = {
        ArnEquals = { "aws:SourceArn" = var.cluster_arn }
        StringEquals = {
          "aws:SourceAccount"                         = data.aws_caller_identity.this.account_id
          "aws:RequestTag/kubernetes-namespace"       = each.value.namespace
          "aws:RequestTag/kubernetes-service-account" = each.value.service_account
        }
      }
    }]
  })
  tags = merge(var.tags, { tenant = each.value.tenant })
}

resource "aws_iam_role_policy" "this" {
  for_each = local.roles

  name   = each.value.role
  role   = aws_iam_role.this[each.key].id
  policy = module.policies[each.value.tenant].documents[each.value.role]
}

resource "aws_eks_pod_identity_association" "this" {
  for_each = local.roles

  cluster_name    = var.cluster_name
  namespace       = each.value.namespace
  service_account = each.value.service_account
  role_arn        = aws_iam_role.this[each.key].arn
  tags            = merge(var.tags, { tenant = each.value.tenant })

  depends_on = [aws_iam_role_policy.this]
}
