data "aws_partition" "current" {}

resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(["dbt", "metabase"])

  name              = "/${var.name}/ecs/${each.value}"
  retention_in_days = 365
  kms_key_id        = var.kms_key_arn
}

locals {
  log_options = { for key, group in aws_cloudwatch_log_group.this : key => {
    logDriver = "awslogs"
    options = {
      "awslogs-group"         = group.name
      "awslogs-region"        = var.region
      "awslogs-stream-prefix" = key
    }
  } }
}

# The state machine runs it, with the layer as its command.
resource "aws_ecs_task_definition" "dbt" {
  #checkov:skip=CKV_AWS_336:dbt writes compiled SQL to its own folder of the container
  family                   = "${var.name}-dbt"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 1024
  memory                   = 4096
  task_role_arn            = var.role_arns["dbt"]
  execution_role_arn       = var.role_arns["execution"]
  skip_destroy             = true # a run goes on with the revision that it began with

  runtime_platform {
    cpu_architecture        = "X86_64"
    operating_system_family = "LINUX"
  }

  container_definitions = jsonencode([{
    name             = "dbt"
    image            = var.dbt_image_uri
    essential        = true
    environment      = [for key, value in var.settings : { name = key, value = value }]
    logConfiguration = local.log_options["dbt"]
  }])
}
