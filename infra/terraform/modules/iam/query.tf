# What whoever reads or builds tables needs of S3, Athena and Glue.
data "aws_iam_policy_document" "query" {
  statement {
    sid = "Query"
    actions = [
      "athena:StartQueryExecution",
      "athena:GetQueryExecution",
      "athena:GetQueryResults",
      "athena:GetWorkGroup",
    ]
    resources = [var.workgroup_arn]
  }

  statement {
    sid = "ReadCatalog"
    actions = [
      "glue:GetDatabase",
      "glue:GetDatabases",
      "glue:GetTable",
      "glue:GetTables",
      "glue:GetPartition",
      "glue:GetPartitions",
      "glue:BatchGetPartition",
    ]
    resources = local.catalog
  }

  statement {
    sid       = "Locate"
    actions   = ["s3:GetBucketLocation"]
    resources = [var.data_bucket_arn, var.results_bucket_arn]
  }

  statement {
    sid       = "ListResults"
    actions   = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [var.results_bucket_arn]
  }

  statement {
    sid       = "Results"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
    resources = ["${var.results_bucket_arn}/athena/*"]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }
}

locals {
  # A run has a database of its own, <schema>_run_<id>.
  catalog = [
    "${local.glue}:catalog",
    "${local.glue}:database/${var.schema}",
    "${local.glue}:database/${var.schema}_*",
    "${local.glue}:table/${var.schema}/*",
    "${local.glue}:table/${var.schema}_*/*",
  ]
}
