variable "region" {
  type        = string
  description = "Region of everything."
}

variable "prefix" {
  type        = string
  description = "First part of every name."
}

variable "environment" {
  type        = string
  description = "dev, staging or prod; the second part of every name."

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "An environment is dev, staging or prod."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags of everything, beside project and environment."
  default     = {}
}

variable "image_uris" {
  type        = map(string)
  description = "Images by digest: dbt, ml, trigger, metabase."

  validation {
    condition     = length(var.image_uris) == 0 || alltrue([for image in ["dbt", "ml", "trigger", "metabase"] : can(regex("@sha256:[0-9a-f]{64}$", var.image_uris[image]))])
    error_message = "Each of the images dbt, ml, trigger and metabase is named by its digest; none is, until the registries exist."
  }
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
  description = "Whether this environment makes the account's identity provider for GitHub. False where another environment of the same account has made it."
  default     = true
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

variable "score_machines" {
  type        = number
  description = "Number of machines that score customers together."
  default     = 1
}

variable "settings" {
  type        = map(string)
  description = "Settings of every job, function and task by their names in docs/settings.md, such as { \"gate.minimum_recall\" = \"0.6\" }. Those of the places that Terraform makes are its own."
  default     = {}

  validation {
    condition = alltrue([
      for name in keys(var.settings) :
      can(regex("^[a-z_]+(\\.[a-z_]+)*$", name)) && !can(regex("^(target|home|athena\\..*|land\\.mapping)$", name))
    ])
    error_message = "Each is the name of a setting, such as gate.minimum_recall; target, home, athena.* and land.mapping are set by Terraform (the last by mapping_file)."
  }
}

variable "mapping_file" {
  type        = string
  description = "Mapping of your own files (docs/own-files.md), on the machine that runs Terraform; null if the files are named as ours."
  default     = null
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

variable "metabase_secret_version" {
  type        = number
  description = "Raise it to give Metabase's user of its database a new password."
  default     = 1
}

variable "deletion_protection" {
  type        = bool
  description = "Whether Terraform cannot destroy data. To remove an environment, apply false first."
  default     = true
}
