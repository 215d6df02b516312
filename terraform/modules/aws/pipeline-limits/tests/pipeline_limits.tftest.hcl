mock_provider "aws" {
  source = "../mocks"
}

variables {
  name                = "acme-tidemark-prod-euc1"
  regions             = ["eu-central-1", "eu-west-1"]
  state_bucket        = "acme-tidemark-prod-euc1-state"
  state_kms_key_arn   = "arn:aws:kms:eu-central-1:123456789012:key/1"
  archive_bucket_arns = ["arn:aws:s3:::acme-tidemark-prod-euc1-archive", "arn:aws:s3:::acme-tidemark-prod-euc1-archive-replica"]
  repository_prefix   = "tidemark"
  tags                = { app = "tidemark", env = "prod" }
}

run "names_tell_boundaries_from_grants" {
  command = plan
  assert {
    condition = (
      { for name, policy in aws_iam_policy.boundary : name => policy.name } == {
        plan     = "acme-tidemark-prod-euc1-github-plan-boundary"
        apply    = "acme-tidemark-prod-euc1-github-apply-boundary"
        workload = "acme-tidemark-prod-euc1-workload"
      }
      && keys(aws_iam_policy.grant) == ["cluster", "data"]
    )
    error_message = jsonencode([for policy in aws_iam_policy.boundary : policy.name])
  }
}

run "a_role_is_made_within_the_boundary_of_workloads_only" {
  command = plan
  assert {
    condition     = [for one in jsondecode(aws_iam_policy.boundary["apply"].policy).Statement : one.Condition.StringNotEquals["iam:PermissionsBoundary"] if one.Sid == "OnlyWithinABoundary"] == ["arn:aws:iam::123456789012:policy/acme-tidemark-prod-euc1-workload"]
    error_message = aws_iam_policy.boundary["apply"].policy
  }
}

run "what_is_without_a_name_is_made_in_these_regions" {
  command = plan
  assert {
    condition     = alltrue([for one in jsondecode(aws_iam_policy.grant["cluster"].policy).Statement : one.Condition.StringEquals["aws:RequestedRegion"] == ["eu-central-1", "eu-west-1"] if one.Sid == "Network"])
    error_message = aws_iam_policy.grant["cluster"].policy
  }
}

run "a_boundary_that_iam_would_not_take_is_refused" {
  command = plan
  variables {
    archive_bucket_arns = [for number in range(100) : "arn:aws:s3:::acme-tidemark-prod-euc1-archive-${number}"]
  }
  expect_failures = [output.boundary_arns]
}

run "nor_a_grant" {
  command = plan
  variables {
    # Grants name them, boundaries do not.
    regions = [for number in range(60) : "eu-central-${number}-of-many-regions"]
  }
  expect_failures = [output.boundary_arns]
}
