variable "name" {
  type        = string
  description = "Prefix of every name: <prefix>-<environment>."
}

variable "kms_key_arn" {
  type        = string
  description = "Key that data is encrypted with."
}

variable "role_arns" {
  type        = map(string)
  description = "Roles by name; states and ml are used."
}

variable "cluster_arn" {
  type        = string
  description = "Cluster of the dbt tasks."
}

variable "control_function_arn" {
  type        = string
  description = "Function called between jobs."
}

variable "dbt_task_arn" {
  type        = string
  description = "Task definition of the dbt runner."
}

variable "execution_seconds" {
  type        = number
  description = "Longest execution, waiting for the lease included."
}

variable "settings" {
  type        = map(string)
  description = "SPANISHGAS_ variables of every part."
}

variable "subnet_ids" {
  type        = list(string)
  description = "Private subnets of the jobs."
}

variable "security_group_id" {
  type        = string
  description = "Security group of the jobs."
}

variable "tags" {
  type        = map(string)
  description = "Tags of the jobs."
}

variable "instance_types" {
  type        = map(string)
  description = "Instance types by kind of job: land, train, ml."
}

variable "land_volume_gb" {
  type        = number
  description = "Disk of the landing job: the raw batch and the landed one."
  default     = 100
}

variable "score_machines" {
  type        = number
  description = "Machines of the scoring job."
  default     = 1
}

variable "ml_image_uri" {
  type        = string
  description = "Image of the ML jobs, by digest."
}

variable "results_bucket" {
  type        = string
  description = "Bucket of artifacts."
}

variable "topic_arn" {
  type        = string
  description = "Topic that hears of every run."
}
