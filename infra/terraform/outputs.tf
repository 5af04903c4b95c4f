output "data_bucket" {
  description = "Where batches are uploaded, under raw/."
  value       = module.s3.data_bucket
}

output "state_machine_arn" {
  description = "The state machine."
  value       = module.step_functions.state_machine_arn
}

output "repository_urls" {
  description = "Where images are pushed to."
  value       = module.ecr.urls
}

output "github_role_arns" {
  description = "Roles for the workflows."
  value       = module.github_oidc.role_arns
}

output "metabase_dns_name" {
  description = "What the name of Metabase points to."
  value       = module.ecs.load_balancer_dns_name
}

output "settings" {
  description = "SPANISHGAS_ variables to reach this environment by hand."
  value       = local.settings
}

output "image_uris" {
  description = "The images that are deployed."
  value       = var.image_uris
}
