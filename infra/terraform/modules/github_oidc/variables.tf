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
  description = "dev, staging or prod: names the environments of GitHub whose jobs take the roles."
}

variable "repository" {
  type        = string
  description = "owner/name of the repository."
}

variable "creates_provider" {
  type        = bool
  description = "Whether this environment makes the account's identity provider for GitHub."
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

variable "control_function_name" {
  type        = string
  description = "Function that a deployment asks whether it works."
}

variable "state_machine_arn" {
  type        = string
  description = "What retrain starts."
}

variable "results_bucket_arn" {
  type        = string
  description = "Bucket of artifacts and documents."
}
