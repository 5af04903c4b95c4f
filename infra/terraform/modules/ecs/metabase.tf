locals {
  database = {
    MB_DB_TYPE   = "postgres"
    MB_DB_HOST   = aws_db_instance.metabase.address
    MB_DB_PORT   = "5432"
    MB_DB_DBNAME = aws_db_instance.metabase.db_name
    MB_DB_USER   = "metabase"
  }
  password = { name = "MB_DB_PASS", valueFrom = aws_secretsmanager_secret_version.this["database"].arn }
}

resource "aws_ecs_task_definition" "metabase" {
  #checkov:skip=CKV_AWS_336:Metabase unpacks its drivers beside itself when it starts
  family                   = "${var.name}-metabase"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 1024
  memory                   = 3072
  task_role_arn            = var.role_arns["metabase"]
  execution_role_arn       = var.role_arns["execution"]

  container_definitions = jsonencode([{
    # Gives Metabase a user of its own, before Metabase starts. It alone has the administrator's password,
    # and ends; RDS may change that password whenever it likes.
    name       = "database-user"
    image      = var.dbt_image_uri
    essential  = false
    entryPoint = ["python", "-m", "python_ml.aws.metabase_user"]
    environment = [for key, value in merge(local.database, { MB_ADMINISTRATOR = aws_db_instance.metabase.username }) :
    { name = key, value = value }]
    secrets = [local.password, {
      name      = "MB_ADMINISTRATOR_PASS"
      valueFrom = "${aws_db_instance.metabase.master_user_secret[0].secret_arn}:password::"
    }]
    logConfiguration = local.log_options["metabase"]
    }, {
    name         = "metabase"
    image        = var.metabase_image_uri
    essential    = true
    dependsOn    = [{ containerName = "database-user", condition = "SUCCESS" }]
    portMappings = [{ containerPort = 3000 }]
    environment = [for key, value in merge(local.database, {
      MB_SITE_URL              = "https://${var.metabase_domain}"
      MB_ANON_TRACKING_ENABLED = "false"
      MB_CHECK_FOR_UPDATES     = "false"
      JAVA_TIMEZONE            = "Europe/Madrid"
    }) : { name = key, value = value }]
    secrets = [local.password, {
      name      = "MB_ENCRYPTION_SECRET_KEY"
      valueFrom = aws_secretsmanager_secret_version.this["key"].arn
    }]
    healthCheck = {
      command     = ["CMD-SHELL", "curl --fail --silent http://localhost:3000/api/health || exit 1"]
      startPeriod = 180
    }
    logConfiguration = local.log_options["metabase"]
  }])
}

resource "aws_ecs_service" "metabase" {
  name                               = "${var.name}-metabase"
  cluster                            = aws_ecs_cluster.this.id
  task_definition                    = aws_ecs_task_definition.metabase.arn
  launch_type                        = "FARGATE"
  desired_count                      = 1
  deployment_minimum_healthy_percent = 100
  health_check_grace_period_seconds  = 300

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [var.security_group_ids["metabase"]]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.metabase.arn
    container_name   = "metabase"
    container_port   = 3000
  }

  depends_on = [aws_lb_listener.https]
}
