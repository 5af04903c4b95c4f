output "urls" {
  description = "Where each image is pushed to."
  value       = { for key, repository in aws_ecr_repository.this : key => repository.repository_url }
}

output "arns" {
  description = "ARNs of the repositories."
  value       = [for repository in aws_ecr_repository.this : repository.arn]
}
