variable "name" {
  type        = string
  description = "Prefix of every name: <prefix>-<environment>."
}

variable "kms_key_arn" {
  type        = string
  description = "Key that data is encrypted with."
}

variable "deletion_protection" {
  type        = bool
  description = "Whether Terraform cannot destroy table."
}
