variable "name" {
  type        = string
  description = "Prefix of every name: <prefix>-<environment>."
}

variable "kms_key_arn" {
  type        = string
  description = "Key that data is encrypted with."
}

variable "environment" {
  type        = string
  description = "Environment of GitHub whose jobs deploy."
}

variable "repository" {
  type        = string
  description = "owner/name of the repository."
}

variable "creates_provider" {
  type        = bool
  description = "Whether the account has no provider for GitHub yet; one serves all environments."
}

variable "terraform_policy_arns" {
  type        = map(string)
  description = "Policies for Terraform itself, by role: plan, deploy."
  default     = {}
}

variable "repository_arns" {
  type        = list(string)
  description = "Repositories of images."
}

variable "state_machine_arn" {
  type        = string
  description = "What retrain starts."
}

variable "results_bucket_arn" {
  type        = string
  description = "Bucket of artifacts and documents."
}
