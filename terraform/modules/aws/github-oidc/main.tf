# Pipelines have no keys: a job shows the token that GitHub signed for it. Up to four roles, each for jobs of an environment of its own:
# plan (reads; code of pull requests runs with it), apply (has reviewers), push (tags only), drill (reads one archive).
#
# A trust that checks the audience only lets all of GitHub in, so `sub` is pinned, and without patterns. A job with `environment:` has the environment as its subject
# and neither branch nor event, so a trust in `pull_request` would be for nobody, and apply cannot be had by a branch of whatever name.

data "aws_partition" "this" {}
data "aws_caller_identity" "this" {}

locals {
  partition = data.aws_partition.this.partition
  account   = data.aws_caller_identity.this.account_id
  host      = "token.actions.githubusercontent.com"
  provider  = "arn:${local.partition}:iam::${local.account}:oidc-provider/${local.host}"

  subjects = merge(
    {
      plan  = ["repo:${var.repository}:environment:${var.apply_environment}-plan"]
      apply = ["repo:${var.repository}:environment:${var.apply_environment}"]
    },
    length(var.push_repository_arns) == 0 ? {} : { push = ["repo:${var.repository}:environment:release-aws"] },
    var.drill_policy == null ? {} : { drill = ["repo:${var.repository}:environment:drill-${var.apply_environment}"] },
  )

  # Both read what the plan reads; nobody reads backups.
  no_backups = length(var.archive_bucket_arns) == 0 ? [] : [{
    Sid      = "NoBackups"
    Effect   = "Deny"
    Action   = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:PutObjectRetention", "s3:PutObjectLegalHold"]
    Resource = [for arn in var.archive_bucket_arns : "${arn}/*"]
  }]

  states = "arn:${local.partition}:s3:::${var.state_bucket}"

  statements = {
    plan = concat(local.no_backups, [
      { Sid = "FindStates", Effect = "Allow", Action = "s3:ListBucket", Resource = local.states },
      { Sid = "ReadStates", Effect = "Allow", Action = "s3:GetObject", Resource = "${local.states}/*" },
      # Plans of pull requests are made with -lock=false: what anybody may propose takes no lock.
      { Sid = "DecryptStates", Effect = "Allow", Action = "kms:Decrypt", Resource = var.state_kms_key_arn },
    ])
    apply = concat(local.no_backups, [
      { Sid = "FindStates", Effect = "Allow", Action = "s3:ListBucket", Resource = local.states },
      { Sid = "WriteStates", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject"], Resource = "${local.states}/*" },
      { Sid = "Unlock", Effect = "Allow", Action = "s3:DeleteObject", Resource = "${local.states}/*.tflock" },
      { Sid = "UseStateKey", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = var.state_kms_key_arn },
    ])
    push = [
      { Sid = "SignIn", Effect = "Allow", Action = "ecr:GetAuthorizationToken", Resource = "*" }, # knows no resource
      {
        Sid      = "Push"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"]
        Resource = var.push_repository_arns
      },
    ]
  }

  documents = merge({ for role, statements in local.statements : role => jsonencode({ Version = "2012-10-17", Statement = statements }) }, { drill = var.drill_policy })

  managed = merge(
    { for role in ["plan", "apply"] : "${role}/ReadOnlyAccess" => { role = role, arn = "arn:${local.partition}:iam::aws:policy/ReadOnlyAccess" } },
    { for name, arn in var.apply_policy_arns : "apply/${name}" => { role = "apply", arn = arn } },
  )
}

resource "aws_iam_openid_connect_provider" "github" {
  count = var.create_provider ? 1 : 0

  url            = "https://${local.host}"
  client_id_list = ["sts.amazonaws.com"]
  tags           = var.tags
}

resource "aws_iam_role" "this" {
  for_each = local.subjects

  name                 = "${var.name}-github-${each.key}"
  max_session_duration = each.key == "drill" ? 10800 : 3600 # as long as a restore may take
  permissions_boundary = lookup(var.permissions_boundary_arns, each.key, null)
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = local.provider }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.host}:aud"           = "sts.amazonaws.com"
          "${local.host}:sub"           = each.value
          "${local.host}:repository_id" = var.repository_id
        }
      }
    }]
  })
  tags = var.tags

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role_policy" "this" {
  for_each = local.subjects

  name   = each.key
  role   = aws_iam_role.this[each.key].id
  policy = local.documents[each.key]
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = local.managed

  role       = aws_iam_role.this[each.value.role].name
  policy_arn = each.value.arn
}
