output "bucket" {
  description = "Name of the bucket of states."
  value       = aws_s3_bucket.this.bucket
}

output "kms_key_arn" {
  description = "Key of the states."
  value       = aws_kms_key.this.arn
}
