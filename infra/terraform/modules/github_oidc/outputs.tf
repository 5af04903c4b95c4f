output "role_arns" {
  description = "Roles for the workflows: plan, deploy, retrain."
  value       = { for key, role in aws_iam_role.this : key => role.arn }
}
