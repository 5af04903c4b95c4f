resource "aws_db_subnet_group" "metabase" {
  name       = "${var.name}-metabase"
  subnet_ids = var.subnet_ids
}

resource "aws_db_parameter_group" "metabase" {
  name   = "${var.name}-metabase"
  family = "postgres17"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }

  parameter {
    name  = "log_statement"
    value = "ddl"
  }
}

# Metabase's own state: users, questions, what the dashboards are. No customer is in it.
resource "aws_db_instance" "metabase" {
  #checkov:skip=CKV_AWS_157:Dashboards can wait ten minutes for a restored database; variable multi_az where they cannot
  #checkov:skip=CKV_AWS_161:Metabase knows a user and a password, no tokens of IAM
  #checkov:skip=CKV_AWS_118:The service's own metrics, each minute, are enough for a database of a few MB
  identifier                      = "${var.name}-metabase"
  engine                          = "postgres"
  engine_version                  = "17"
  instance_class                  = var.database_class
  allocated_storage               = 20
  max_allocated_storage           = 100
  db_name                         = "metabase"
  username                        = "administrator"
  manage_master_user_password     = true
  master_user_secret_kms_key_id   = var.kms_key_arn
  storage_encrypted               = true
  kms_key_id                      = var.kms_key_arn
  multi_az                        = var.multi_az
  publicly_accessible             = false
  db_subnet_group_name            = aws_db_subnet_group.metabase.name
  parameter_group_name            = aws_db_parameter_group.metabase.name
  vpc_security_group_ids          = [var.security_group_ids["database"]]
  backup_retention_period         = 14
  copy_tags_to_snapshot           = true
  deletion_protection             = var.deletion_protection
  auto_minor_version_upgrade      = true
  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.kms_key_arn
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]
  skip_final_snapshot             = false
  final_snapshot_identifier       = "${var.name}-metabase-final"
}
