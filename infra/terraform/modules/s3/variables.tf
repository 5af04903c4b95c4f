variable "name" {
  type        = string
  description = "Prefix of every name: <prefix>-<environment>."
}

variable "region" {
  type        = string
  description = "Region of everything."
}

variable "raw_days" {
  type        = number
  description = "Days that uploaded files are kept; the landed batch stays."
  default     = 400
}

variable "version_days" {
  type        = number
  description = "Days that replaced or deleted objects can be brought back."
  default     = 30
}

variable "deletion_protection" {
  type        = bool
  description = "Whether Terraform cannot destroy buckets with what they hold."
}
