mock_provider "aws" {
  source = "../mocks"
}

variables {
  bucket = "acme-tidemark-prod-euc1-state"
  tags   = { app = "tidemark" }
}

run "old_states_can_be_had_again" {
  command = plan
  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled" && aws_s3_bucket_lifecycle_configuration.this.rule[0].noncurrent_version_expiration[0].newer_noncurrent_versions == 50
    error_message = "A broken state is the only one."
  }
  assert {
    condition     = aws_s3_bucket.this.force_destroy == false && aws_s3_bucket_public_access_block.this.restrict_public_buckets
    error_message = "States could be read by others, or vanish."
  }
}
