output "data_bucket" {
  description = "Where batches are uploaded, under raw/."
  value       = module.platform.data_bucket
}

output "state_machine_arn" {
  description = "The state machine."
  value       = module.platform.state_machine_arn
}

output "repository_urls" {
  description = "Where images are pushed to."
  value       = module.platform.repository_urls
}

output "github_role_arns" {
  description = "Roles for the workflows."
  value       = module.platform.github_role_arns
}

output "metabase_dns_name" {
  description = "What the name of Metabase points to."
  value       = module.platform.metabase_dns_name
}

output "settings" {
  description = "SPANISHGAS_ variables to reach this environment by hand."
  value       = module.platform.settings
}
