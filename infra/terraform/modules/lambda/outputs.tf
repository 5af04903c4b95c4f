output "control_function_arn" {
  description = "Function that the state machine calls."
  value       = aws_lambda_function.this["control"].arn
}

output "failed_queue_name" {
  description = "Queue of events that no function could take."
  value       = aws_sqs_queue.failed.name
}
