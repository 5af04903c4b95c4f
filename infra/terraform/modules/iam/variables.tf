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

variable "schema" {
  type        = string
  description = "Glue database of the published tables."
}

variable "data_bucket_arn" {
  type        = string
  description = "Bucket of the data."
}

variable "results_bucket_arn" {
  type        = string
  description = "Bucket of query results and artifacts."
}

variable "runs_table_arn" {
  type        = string
  description = "Table of runs."
}

variable "workgroup_arn" {
  type        = string
  description = "Athena work group."
}

variable "repository_arns" {
  type        = list(string)
  description = "Repositories that images are pulled from."
}
