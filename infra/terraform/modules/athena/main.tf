locals {
  # What dbt builds, what has landed, what python_ml writes. A run builds in <schema>_run_<id>.
  databases = toset([var.schema, "${var.schema}_raw", "${var.schema}_ml"])
}

resource "aws_athena_workgroup" "this" {
  #checkov:skip=CKV_AWS_82:dbt and python_ml name where each result goes; the bucket policy and the roles bound it
  name = var.name

  configuration {
    enforce_workgroup_configuration    = false
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = var.query_byte_limit

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location = "s3://${var.results_bucket}/athena/results/"
      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = var.kms_key_arn
      }
    }
  }
}

resource "aws_glue_catalog_database" "this" {
  for_each = local.databases

  name         = each.value
  location_uri = "s3://${var.data_bucket}/catalog/${each.value}/"
}
