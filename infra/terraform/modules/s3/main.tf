data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  # Names of buckets are unique in the world: the account sees to that.
  buckets = {
    data    = "${var.name}-data-${local.account}"
    results = "${var.name}-results-${local.account}"
    logs    = "${var.name}-logs-${local.account}"
  }
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV2_AWS_61:Each of the three has one, in lifecycle.tf
  #checkov:skip=CKV_AWS_144:One region holds the data by contract with the customers; versions protect against loss
  #checkov:skip=CKV2_AWS_62:Only uploads under raw/ of the data bucket mean something; the lambda module listens to them
  #checkov:skip=CKV_AWS_145:The log bucket takes S3-managed keys only, as log delivery demands; the others have the key
  #checkov:skip=CKV_AWS_18:Data and results log to the log bucket; a log bucket that logs to itself never ends
  #checkov:skip=CKV_AWS_21:The log bucket keeps no versions: nobody writes there but log delivery
  for_each = local.buckets

  bucket        = each.value
  force_destroy = !var.deletion_protection
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = aws_s3_bucket.this

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = each.key == "logs" ? "AES256" : "aws:kms"
      kms_master_key_id = each.key == "logs" ? null : aws_kms_key.data.arn
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = { for key, bucket in aws_s3_bucket.this : key => bucket if key != "logs" }

  bucket = each.value.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_logging" "this" {
  for_each = { for key, bucket in aws_s3_bucket.this : key => bucket if key != "logs" }

  bucket        = each.value.id
  target_bucket = aws_s3_bucket.this["logs"].id
  target_prefix = "${each.key}/"
}
