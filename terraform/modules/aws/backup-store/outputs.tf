output "bucket" {
  description = "Name of the archive bucket."
  value       = aws_s3_bucket.archive.bucket
}

output "arn" {
  description = "ARN of the archive bucket."
  value       = aws_s3_bucket.archive.arn
}

output "region" {
  description = "Region of the archive bucket."
  value       = data.aws_region.this.region
}

output "kms_key_arn" {
  description = "Key of the archive."
  value       = aws_kms_key.archive.arn
}

output "lock" {
  description = "Mode and days of Object Lock."
  value       = var.lock
}

output "url_query" {
  description = "What follows the question mark in the URL of an archive that is written (docs/object-stores.md)."
  value       = "region=${data.aws_region.this.region}&sse=aws:kms&kms_key=${aws_kms_key.archive.arn}&retention_days=${var.lock.days}&retention_mode=${var.lock.mode}"
}

output "replica" {
  description = "The replica, to restore from when the region is lost; null when there is none."
  value = local.replicated ? {
    bucket      = local.replica_bucket
    region      = var.replica.region
    kms_key_arn = aws_kms_key.replica["replica"].arn
  } : null
}
