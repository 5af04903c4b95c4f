provider "aws" {
  region = var.region

  default_tags {
    tags = local.tags
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  name   = "${var.prefix}-${var.environment}"
  region = data.aws_region.current.region
  schema = replace(local.name, "-", "_")
  tags   = merge(var.tags, { project = local.name, environment = var.environment })
  # Functions name the state machine and the state machine calls a function: its ARN is known by name.
  state_machine_arn = "arn:${data.aws_partition.current.partition}:states:${local.region}:${data.aws_caller_identity.current.account_id}:stateMachine:${local.name}"

  # Settings of the environment's own (docs/settings.md), as python_ml reads them.
  own_settings = { for name, value in var.settings : "SPANISHGAS_${upper(replace(name, ".", "__"))}" => value }
  mapping      = var.mapping_file == null ? {} : { SPANISHGAS_LAND__MAPPING = "s3://${module.s3.data_bucket}/${one(aws_s3_object.mapping[*].key)}" }

  # The settings of python_ml, the same for every job, function and task.
  settings = merge(local.own_settings, local.mapping, {
    SPANISHGAS_TARGET                      = "athena"
    SPANISHGAS_HOME                        = "/tmp/spanishgas"
    SPANISHGAS_ATHENA__REGION              = local.region
    SPANISHGAS_ATHENA__WORK_GROUP          = module.athena.workgroup
    SPANISHGAS_ATHENA__SCHEMA              = local.schema
    SPANISHGAS_ATHENA__LAKE                = "s3://${module.s3.data_bucket}"
    SPANISHGAS_ATHENA__DATA                = "s3://${module.s3.data_bucket}/warehouse"
    SPANISHGAS_ATHENA__STAGING             = "s3://${module.s3.results_bucket}/athena"
    SPANISHGAS_ATHENA__RUNS_TABLE          = module.dynamodb.table
    SPANISHGAS_ATHENA__LOG_GROUPS          = "/${local.name}/"
    SPANISHGAS_ATHENA__MODEL_PACKAGE_GROUP = module.sagemaker.model_package_group
  })
}

# Under settings/, which only Terraform writes.
resource "aws_s3_object" "mapping" {
  count = var.mapping_file == null ? 0 : 1

  bucket  = module.s3.data_bucket
  key     = "settings/mapping.yml"
  content = file(var.mapping_file)
}

module "s3" {
  source = "./modules/s3"

  name                = local.name
  region              = local.region
  raw_days            = var.raw_days
  deletion_protection = var.deletion_protection
}

module "dynamodb" {
  source = "./modules/dynamodb"

  name                = local.name
  kms_key_arn         = module.s3.kms_key_arn
  deletion_protection = var.deletion_protection
}

module "athena" {
  source = "./modules/athena"

  name             = local.name
  kms_key_arn      = module.s3.kms_key_arn
  schema           = local.schema
  data_bucket      = module.s3.data_bucket
  results_bucket   = module.s3.results_bucket
  query_byte_limit = var.query_byte_limit
}

module "ecr" {
  source = "./modules/ecr"

  name        = local.name
  kms_key_arn = module.s3.kms_key_arn
}

module "sagemaker" {
  source = "./modules/sagemaker"

  name           = local.name
  instance_types = var.instance_types
}

module "iam" {
  source = "./modules/iam"

  name               = local.name
  region             = local.region
  kms_key_arn        = module.s3.kms_key_arn
  schema             = local.schema
  data_bucket_arn    = module.s3.data_bucket_arn
  results_bucket_arn = module.s3.results_bucket_arn
  runs_table_arn     = module.dynamodb.table_arn
  workgroup_arn      = module.athena.workgroup_arn
  repository_arns    = module.ecr.arns
}

module "networking" {
  source = "./modules/networking"

  name               = local.name
  region             = local.region
  kms_key_arn        = module.s3.kms_key_arn
  cidr_block         = var.cidr_block
  office_cidr_blocks = var.office_cidr_blocks
  flow_log_role_arn  = module.iam.role_arns["flow"]
}
