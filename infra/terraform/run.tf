module "ecs" {
  source = "./modules/ecs"

  name                = local.name
  region              = local.region
  kms_key_arn         = module.s3.kms_key_arn
  role_arns           = module.iam.role_arns
  settings            = local.settings
  dbt_image_uri       = var.image_uris["dbt"]
  metabase_image_uri  = var.image_uris["metabase"]
  metabase_domain     = var.metabase_domain
  certificate_arn     = var.certificate_arn
  vpc_id              = module.networking.vpc_id
  subnet_ids          = module.networking.private_subnet_ids
  security_group_ids  = module.networking.security_group_ids
  logs_bucket         = module.s3.logs_bucket
  database_class      = var.database_class
  multi_az            = var.multi_az
  deletion_protection = var.deletion_protection
  secret_version      = var.metabase_secret_version
}

module "lambda" {
  source = "./modules/lambda"

  name              = local.name
  kms_key_arn       = module.s3.kms_key_arn
  image_uri         = var.image_uris["trigger"]
  role_arns         = module.iam.role_arns
  settings          = local.settings
  state_machine_arn = local.state_machine_arn
  runs_table        = module.dynamodb.table
  schema            = local.schema
  default_mode      = var.default_mode
  execution_seconds = var.execution_seconds
  data_bucket       = module.s3.data_bucket
  data_bucket_arn   = module.s3.data_bucket_arn
}

module "step_functions" {
  source = "./modules/step_functions"

  name                 = local.name
  kms_key_arn          = module.s3.kms_key_arn
  role_arns            = module.iam.role_arns
  cluster_arn          = module.ecs.cluster_arn
  control_function_arn = module.lambda.control_function_arn
  dbt_task_arn         = module.ecs.dbt_task_arn
  execution_seconds    = var.execution_seconds
  settings             = local.settings
  subnet_ids           = module.networking.private_subnet_ids
  security_group_id    = module.networking.security_group_ids["jobs"]
  tags                 = local.tags
  instance_types       = module.sagemaker.instance_types
  land_volume_gb       = var.land_volume_gb
  score_machines       = var.score_machines
  ml_image_uri         = var.image_uris["ml"]
  results_bucket       = module.s3.results_bucket
  topic_arn            = module.monitoring.topic_arn
}

module "monitoring" {
  source = "./modules/monitoring"

  name                     = local.name
  kms_key_arn              = module.s3.kms_key_arn
  schema                   = local.schema
  mail_addresses           = var.mail_addresses
  budget_usd               = var.budget_usd
  failed_queue_name        = module.lambda.failed_queue_name
  function_names           = module.lambda.function_names
  state_machine_arn        = local.state_machine_arn
  database_identifier      = module.ecs.database_identifier
  load_balancer_arn_suffix = module.ecs.load_balancer_arn_suffix
  target_group_arn_suffix  = module.ecs.target_group_arn_suffix
}

module "github_oidc" {
  source = "./modules/github_oidc"

  name                  = local.name
  kms_key_arn           = module.s3.kms_key_arn
  environment           = var.environment
  repository            = var.github_repository
  creates_provider      = var.creates_oidc_provider
  terraform_policy_arns = var.terraform_policy_arns
  repository_arns       = module.ecr.arns
  state_machine_arn     = local.state_machine_arn
  control_function_name = module.lambda.function_names["control"]
  results_bucket_arn    = module.s3.results_bucket_arn
}
