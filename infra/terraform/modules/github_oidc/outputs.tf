output "role_arns" {
  description = "Roles for the workflows: plan, deploy."
  value       = { for key, role in aws_iam_role.this : key => role.arn }
}
