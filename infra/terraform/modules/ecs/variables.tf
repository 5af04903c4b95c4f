variable "name" {
  type        = string
  description = "Prefix of every name: <prefix>-<environment>."
}

variable "kms_key_arn" {
  type        = string
  description = "Key that data is encrypted with."
}

variable "region" {
  type        = string
  description = "Region of everything."
}

variable "role_arns" {
  type        = map(string)
  description = "Roles by name; dbt, metabase and execution are used."
}

variable "settings" {
  type        = map(string)
  description = "SPANISHGAS_ variables of every part."
}

variable "dbt_image_uri" {
  type        = string
  description = "Image of the dbt runner, by digest."
}

variable "metabase_image_uri" {
  type        = string
  description = "Image of Metabase, in our own registry, by digest."
}

variable "metabase_domain" {
  type        = string
  description = "Name under which people open Metabase."
}

variable "certificate_arn" {
  type        = string
  description = "Certificate of that name."
}

variable "vpc_id" {
  type        = string
  description = "The VPC."
}

variable "subnet_ids" {
  type        = list(string)
  description = "Private subnets."
}

variable "security_group_ids" {
  type        = map(string)
  description = "Security groups by name."
}

variable "logs_bucket" {
  type        = string
  description = "Bucket of access logs."
}

variable "database_class" {
  type        = string
  description = "Instance class of the database of Metabase."
  default     = "db.t4g.small"
}

variable "multi_az" {
  type        = bool
  description = "Whether that database has a standby in another zone."
  default     = false
}

variable "secret_version" {
  type        = number
  description = "Raise it to give Metabase's user of the database a new password."
  default     = 1
}

variable "deletion_protection" {
  type        = bool
  description = "Whether Terraform cannot destroy database and load balancer."
}
