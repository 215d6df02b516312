mock_provider "aws" {
  source = "../mocks"
}

variables {
  tags = { app = "tidemark" }
}

run "tags_stay_what_they_are" {
  command = plan
  assert {
    condition     = alltrue([for repository in aws_ecr_repository.this : repository.image_tag_mutability == "IMMUTABLE" && repository.image_scanning_configuration[0].scan_on_push && !repository.force_delete])
    error_message = "A tag can be moved, or images are not scanned."
  }
  assert {
    condition     = length(aws_ecr_repository_policy.pull) == 0 && length(aws_ecr_replication_configuration.this) == 0
    error_message = "Others may pull without having been named."
  }
}

run "everybody_is_no_account" {
  command = plan
  variables {
    pull_accounts = ["*"]
  }
  expect_failures = [var.pull_accounts]
}
