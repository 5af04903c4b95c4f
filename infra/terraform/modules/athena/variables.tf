variable "name" {
  type        = string
  description = "Prefix of every name: <prefix>-<environment>."
}

variable "kms_key_arn" {
  type        = string
  description = "Key that data is encrypted with."
}

variable "schema" {
  type        = string
  description = "Glue database of the published tables."
}

variable "data_bucket" {
  type        = string
  description = "Bucket of the data."
}

variable "results_bucket" {
  type        = string
  description = "Bucket of query results."
}

variable "query_byte_limit" {
  type        = number
  description = "Bytes that one query may scan."
  default     = 1099511627776
}
