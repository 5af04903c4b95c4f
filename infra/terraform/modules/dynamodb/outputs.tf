output "table" {
  description = "Name of the table of runs."
  value       = aws_dynamodb_table.runs.name
}

output "table_arn" {
  description = "ARN of the table of runs."
  value       = aws_dynamodb_table.runs.arn
}
