data "aws_partition" "current" {}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/${var.name}/states"
  retention_in_days = 365
  kms_key_id        = var.kms_key_arn
}

resource "aws_sfn_state_machine" "this" {
  name     = var.name
  role_arn = var.role_arns["states"]
  type     = "STANDARD"

  definition = templatefile("${path.module}/state_machine.asl.json.tftpl", {
    prefix               = var.name
    partition            = data.aws_partition.current.partition
    cluster_arn          = var.cluster_arn
    control_function_arn = var.control_function_arn
    dbt_task_arn         = var.dbt_task_arn
    execution_seconds    = var.execution_seconds
    # Members of a JSON object, into which each job puts its own.
    job_environment    = trimsuffix(trimprefix(jsonencode(var.settings), "{"), "}")
    job_network        = jsonencode({ EnableInterContainerTrafficEncryption = true, VpcConfig = local.job_vpc })
    job_vpc            = jsonencode(local.job_vpc)
    task_network       = jsonencode({ Subnets = var.subnet_ids, SecurityGroups = [var.security_group_id], AssignPublicIp = "DISABLED" })
    job_tags           = jsonencode([for key, value in var.tags : { Key = key, Value = value }])
    kms_key_arn        = var.kms_key_arn
    land_instance      = var.instance_types["land"]
    land_volume_gb     = var.land_volume_gb
    score_machines     = var.score_machines
    ml_instance        = var.instance_types["ml"]
    train_instance     = var.instance_types["train"]
    ml_image           = var.ml_image_uri
    ml_role_arn        = var.role_arns["ml"]
    training_output    = "s3://${var.results_bucket}/training/"
    topic_arn          = var.topic_arn
    retry_seconds      = 30
    lease_poll_seconds = 60
    lease_attempts     = 360
  })

  logging_configuration {
    log_destination        = "${aws_cloudwatch_log_group.this.arn}:*"
    include_execution_data = true
    level                  = "ALL"
  }

  tracing_configuration {
    enabled = true
  }
}

locals {
  job_vpc = { SecurityGroupIds = [var.security_group_id], Subnets = var.subnet_ids }
}
