locals {
  tags = merge(var.tags, { project = "${var.prefix}-staging", environment = "staging" })
}

provider "aws" {
  region = var.region

  default_tags {
    tags = local.tags
  }
}

module "platform" {
  source = "../../modules/platform"

  prefix                = var.prefix
  environment           = "staging"
  tags                  = local.tags
  image_uris            = var.image_uris
  office_cidr_blocks    = var.office_cidr_blocks
  metabase_domain       = var.metabase_domain
  certificate_arn       = var.certificate_arn
  mail_addresses        = var.mail_addresses
  github_repository     = var.github_repository
  terraform_policy_arns = var.terraform_policy_arns
  cidr_block            = "10.42.16.0/20"
  budget_usd            = 400
  raw_days              = 60
}
