variable "prefix" {
  type        = string
  description = "First part of every name."
}

variable "environment" {
  type        = string
  description = "dev, staging or prod; the second part of every name."
}

variable "tags" {
  type        = map(string)
  description = "Tags of everything."
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

variable "creates_oidc_provider" {
  type        = bool
  description = "Whether the account has no provider for GitHub yet."
  default     = false
}

variable "cidr_block" {
  type        = string
  description = "Addresses of the VPC."
  default     = "10.42.0.0/20"
}

variable "raw_days" {
  type        = number
  description = "Days that uploaded files are kept."
  default     = 400
}

variable "query_byte_limit" {
  type        = number
  description = "Bytes that one query may scan."
  default     = 1099511627776
}

variable "instance_types" {
  type        = map(string)
  description = "Instance types by kind of job."
  default     = { land = "ml.m5.xlarge", train = "ml.m5.xlarge", ml = "ml.m5.xlarge" }
}

variable "land_volume_gb" {
  type        = number
  description = "Disk of the landing job."
  default     = 100
}

variable "default_mode" {
  type        = string
  description = "Mode of an upload that says none: train or score."
  default     = "train"
}

variable "execution_seconds" {
  type        = number
  description = "Longest execution, waiting for the lease included."
  default     = 43200
}

variable "database_class" {
  type        = string
  description = "Instance class of the database of Metabase."
  default     = "db.t4g.small"
}

variable "multi_az" {
  type        = bool
  description = "Whether that database has a standby."
  default     = false
}

variable "budget_usd" {
  type        = number
  description = "Monthly budget, tax excluded."
  default     = 500
}
