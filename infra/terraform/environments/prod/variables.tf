variable "region" {
  type        = string
  description = "Region of everything."
}

variable "prefix" {
  type        = string
  description = "First part of every name."
}

variable "tags" {
  type        = map(string)
  description = "Tags of everything, beside project and environment."
  default     = {}
}

variable "image_uris" {
  type        = map(string)
  description = "Images by digest: dbt, ml, trigger, metabase."
}

variable "office_cidr_blocks" {
  type        = list(string)
  description = "Private networks from which people reach Metabase."
}

variable "metabase_domain" {
  type        = string
  description = "Name under which people open Metabase."
}

variable "certificate_arn" {
  type        = string
  description = "Certificate of that name."
}

variable "mail_addresses" {
  type        = list(string)
  description = "Who hears of runs and alarms."
}

variable "github_repository" {
  type        = string
  description = "owner/name of the repository."
}

variable "terraform_policy_arns" {
  type        = map(string)
  description = "Policies for Terraform itself, by role: plan, deploy."
  default     = {}
}
