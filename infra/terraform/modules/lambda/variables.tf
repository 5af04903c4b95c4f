variable "name" {
  type        = string
  description = "Prefix of every name: <prefix>-<environment>."
}

variable "kms_key_arn" {
  type        = string
  description = "Key that data is encrypted with."
}

variable "image_uri" {
  type        = string
  description = "Image of both functions, by digest."
}

variable "role_arns" {
  type        = map(string)
  description = "Roles by name; trigger and control are used."
}

variable "settings" {
  type        = map(string)
  description = "SPANISHGAS_ variables of every part."
}

variable "state_machine_arn" {
  type        = string
  description = "What an upload starts."
}

variable "runs_table" {
  type        = string
  description = "Table of runs."
}

variable "schema" {
  type        = string
  description = "Glue database of the published tables; names the warehouse."
}

variable "default_mode" {
  type        = string
  description = "Mode of an upload that says none: train or score."
  default     = "train"
}

variable "execution_seconds" {
  type        = number
  description = "Longest execution."
}

variable "data_bucket" {
  type        = string
  description = "Bucket of the data."
}

variable "data_bucket_arn" {
  type        = string
  description = "Its ARN."
}
