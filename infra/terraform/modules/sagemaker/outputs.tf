output "model_package_group" {
  description = "Name of the model package group."
  value       = aws_sagemaker_model_package_group.churn.model_package_group_name
}

output "model_package_group_arn" {
  description = "ARN of the model package group."
  value       = aws_sagemaker_model_package_group.churn.arn
}

output "instance_types" {
  description = "Instance types by kind of job."
  value       = var.instance_types
}
