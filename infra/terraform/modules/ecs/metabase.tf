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
    name         = "metabase"
    image        = var.metabase_image_uri
    essential    = true
    portMappings = [{ containerPort = 3000 }]
    environment = [
      { name = "MB_DB_TYPE", value = "postgres" },
      { name = "MB_DB_HOST", value = aws_db_instance.metabase.address },
      { name = "MB_DB_PORT", value = "5432" },
      { name = "MB_DB_DBNAME", value = aws_db_instance.metabase.db_name },
      { name = "MB_DB_USER", value = aws_db_instance.metabase.username },
      { name = "MB_SITE_URL", value = "https://${var.metabase_domain}" },
      { name = "MB_ANON_TRACKING_ENABLED", value = "false" },
      { name = "MB_CHECK_FOR_UPDATES", value = "false" },
      { name = "JAVA_TIMEZONE", value = "Europe/Madrid" },
    ]
    secrets = [{
      name      = "MB_DB_PASS"
      valueFrom = "${aws_db_instance.metabase.master_user_secret[0].secret_arn}:password::"
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
