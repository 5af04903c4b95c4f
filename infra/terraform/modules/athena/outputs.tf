output "workgroup" {
  description = "Name of the work group."
  value       = aws_athena_workgroup.this.name
}

output "workgroup_arn" {
  description = "ARN of the work group."
  value       = aws_athena_workgroup.this.arn
}
