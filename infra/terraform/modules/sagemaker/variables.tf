variable "name" {
  type        = string
  description = "Prefix of every name: <prefix>-<environment>."
}

variable "instance_types" {
  type        = map(string)
  description = "Instance types by kind of job: land, train, ml."
}
