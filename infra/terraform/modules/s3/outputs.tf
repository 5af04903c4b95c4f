output "data_bucket" {
  description = "Name of the data bucket."
  value       = aws_s3_bucket.this["data"].id
}

output "data_bucket_arn" {
  description = "ARN of the data bucket."
  value       = aws_s3_bucket.this["data"].arn
}

output "results_bucket" {
  description = "Name of the bucket of query results and artifacts."
  value       = aws_s3_bucket.this["results"].id
}

output "results_bucket_arn" {
  description = "ARN of that bucket."
  value       = aws_s3_bucket.this["results"].arn
}

output "logs_bucket" {
  description = "Name of the bucket of access logs."
  value       = aws_s3_bucket.this["logs"].id
}

output "kms_key_arn" {
  description = "Key that everything is encrypted with."
  value       = aws_kms_key.data.arn
}
