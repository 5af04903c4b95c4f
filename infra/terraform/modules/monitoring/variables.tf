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
  description = "Glue database of the published tables; names the warehouse in metrics."
}

variable "mail_addresses" {
  type        = list(string)
  description = "Who hears of runs and alarms."
}

variable "budget_usd" {
  type        = number
  description = "Monthly budget, tax excluded."
}

variable "drift_alarm_limit" {
  type        = number
  description = "Drift alarms in one run that nobody need hear of."
  default     = 0
}

variable "failed_queue_name" {
  type        = string
  description = "Queue of events that no function could take."
}

variable "database_identifier" {
  type        = string
  description = "Database of Metabase."
}

variable "load_balancer_arn_suffix" {
  type        = string
  description = "Load balancer of Metabase, as metrics name it."
}

variable "target_group_arn_suffix" {
  type        = string
  description = "Its target group, as metrics name it."
}

variable "state_machine_arn" {
  type        = string
  description = "State machine whose executions are watched."
}

variable "function_names" {
  type        = map(string)
  description = "Functions whose errors are watched."
}
