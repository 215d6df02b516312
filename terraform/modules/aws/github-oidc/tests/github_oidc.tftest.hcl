mock_provider "aws" {
  source = "../mocks"
}

variables {
  name              = "acme-tidemark-prod-euc1"
  repository        = "example/tidemark"
  repository_id     = "123456789"
  apply_environment = "aws-prod"
  state_bucket      = "acme-tidemark-prod-euc1-state"
  state_kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1"
  apply_policy_arns = { cluster = "arn:aws:iam::123456789012:policy/acme-tidemark-prod-euc1-github-apply-cluster" }
  permissions_boundary_arns = {
    plan  = "arn:aws:iam::123456789012:policy/acme-tidemark-prod-euc1-github-plan-boundary"
    apply = "arn:aws:iam::123456789012:policy/acme-tidemark-prod-euc1-github-apply-boundary"
  }
  archive_bucket_arns = ["arn:aws:s3:::acme-tidemark-prod-euc1-archive"]
  tags                = { app = "tidemark" }
}

run "a_pull_request_cannot_apply" {
  command = plan
  assert {
    condition     = tolist(jsondecode(aws_iam_role.this["apply"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"]) == tolist(["repo:example/tidemark:environment:aws-prod"])
    error_message = aws_iam_role.this["apply"].assume_role_policy
  }
  assert {
    condition     = tolist(jsondecode(aws_iam_role.this["plan"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"]) == tolist(["repo:example/tidemark:environment:aws-prod-plan"])
    error_message = aws_iam_role.this["plan"].assume_role_policy
  }
  assert {
    condition     = !contains(keys(aws_iam_role.this), "push")
    error_message = "A role to push with, and nothing to push to."
  }
}

run "both_that_run_code_of_a_branch_are_bounded" {
  command = plan
  assert {
    condition     = tomap({ for name, role in aws_iam_role.this : name => role.permissions_boundary }) == var.permissions_boundary_arns
    error_message = jsonencode({ for name, role in aws_iam_role.this : name => role.permissions_boundary })
  }
}

run "no_boundary_is_refused" {
  command = plan
  variables {
    permissions_boundary_arns = {}
  }
  expect_failures = [var.permissions_boundary_arns]
}

run "patterns_are_refused" {
  command = plan
  variables {
    repository        = "example/*"
    repository_id     = "*"
    apply_environment = "*"
  }
  expect_failures = [var.repository, var.repository_id, var.apply_environment]
}
