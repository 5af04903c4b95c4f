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
  description = "Region of the endpoints."
}

variable "cidr_block" {
  type        = string
  description = "Addresses of the VPC."
  default     = "10.42.0.0/20"
}

variable "flow_log_role_arn" {
  type        = string
  description = "Role that writes flow logs."
}

variable "interface_services" {
  type        = list(string)
  description = "AWS services that jobs call from the private subnets."
  default     = ["athena", "ecr.api", "ecr.dkr", "glue", "kms", "logs", "monitoring", "sagemaker.api", "secretsmanager", "sns", "sts"]
}

variable "office_cidr_blocks" {
  type        = list(string)
  description = "Private networks (VPN, peering) from which people reach Metabase."

  validation {
    condition     = alltrue([for block in var.office_cidr_blocks : can(regex("^(10|172|192)[.]", block))])
    error_message = "Metabase holds customer data: only private networks may reach it."
  }
}
