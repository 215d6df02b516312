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

run "a_drill_has_the_policy_it_is_given_and_no_more" {
  command = plan
  variables {
    drill_policy = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
  }
  assert {
    condition     = tolist(jsondecode(aws_iam_role.this["drill"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"]) == tolist(["repo:example/tidemark:environment:drill-aws-prod"])
    error_message = aws_iam_role.this["drill"].assume_role_policy
  }
  assert {
    condition     = aws_iam_role_policy.this["drill"].policy == var.drill_policy && length([for one in aws_iam_role_policy_attachment.this : one.role if endswith(one.role, "-drill")]) == 0
    error_message = aws_iam_role_policy.this["drill"].policy
  }
}

run "no_drill_no_role" {
  command = plan
  assert {
    condition     = toset(keys(aws_iam_role.this)) == toset(["plan", "apply"])
    error_message = jsonencode(keys(aws_iam_role.this))
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
