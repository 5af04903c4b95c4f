output "control_function_arn" {
  description = "Function that the state machine calls, in the version of this deployment."
  value       = aws_lambda_function.this["control"].qualified_arn
}

output "function_names" {
  description = "Names of the functions: trigger, control."
  value       = { for key, function in aws_lambda_function.this : key => function.function_name }
}

output "failed_queue_name" {
  description = "Queue of events that no function could take."
  value       = aws_sqs_queue.failed.name
}
