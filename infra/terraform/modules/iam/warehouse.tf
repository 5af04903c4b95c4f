# Who builds tables, and which prefixes of the data bucket and changes of the catalog that takes. raw/
# is the sender's: nothing of ours writes there. Models are out of dbt's reach, and the table with the
# lease out of every job's but for the records of runs, which have a hash key of their own.
locals {
  builders = {
    dbt = {
      reads   = ["batches/*", "ml/*", "runs/*", "settings/*", "warehouse/*", "published.json", "forgotten.json"]
      writes  = ["ml/*", "runs/*", "warehouse/*"]
      deletes = ["warehouse/*"]
      catalog = [
        "glue:CreateTable",
        "glue:UpdateTable",
        "glue:DeleteTable",
        "glue:GetTableVersions",
        "glue:DeleteTableVersion",
        "glue:BatchCreatePartition",
      ]
    }
    ml = {
      reads   = ["*"]
      writes  = ["batches/*", "ml/*", "models/*", "rejected/*", "runs/*"]
      deletes = []
      # Landing registers the raw tables, and moves them on to a new batch.
      catalog = ["glue:CreateDatabase", "glue:CreateTable", "glue:UpdateTable", "glue:BatchCreatePartition"]
    }
    control = {
      reads = ["*"]
      # .doctor/ is where its check of a deployment writes, reads and deletes one object.
      writes  = [".doctor/*", "batches/*", "ml/*", "models/*", "runs/*", "warehouse/*", "published.json"]
      deletes = [".doctor/*", "batches/*", "warehouse/*"]
      catalog = [
        "glue:CreateDatabase",
        "glue:DeleteDatabase",
        "glue:CreateTable",
        "glue:UpdateTable",
        "glue:DeleteTable",
        "glue:BatchCreatePartition",
      ]
    }
  }
}

data "aws_iam_policy_document" "build" {
  for_each = local.builders

  source_policy_documents = [data.aws_iam_policy_document.query.json]

  dynamic "statement" {
    for_each = each.key == "dbt" ? [1] : [] # its adapter stops the queries of a build that is stopped
    content {
      sid       = "Stop"
      actions   = ["athena:StopQueryExecution"]
      resources = [var.workgroup_arn]
    }
  }

  statement {
    sid       = "ReadData"
    actions   = ["s3:GetObject"]
    resources = [for path in each.value.reads : "${var.data_bucket_arn}/${path}"]
  }

  statement {
    sid       = "WriteData"
    actions   = ["s3:PutObject", "s3:AbortMultipartUpload"]
    resources = [for path in each.value.writes : "${var.data_bucket_arn}/${path}"]
  }

  statement {
    sid     = "Delete"
    actions = ["s3:DeleteObject"]
    # Answers of queries are deleted once they have been read.
    resources = concat(
      [for path in each.value.deletes : "${var.data_bucket_arn}/${path}"],
      ["${var.results_bucket_arn}/athena/*"],
    )
  }

  statement {
    sid       = "ListData"
    actions   = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [var.data_bucket_arn]
  }

  statement {
    sid       = "WriteCatalog"
    actions   = each.value.catalog
    resources = local.catalog
  }
}

data "aws_iam_policy_document" "job" {
  for_each = toset(["dbt", "ml"])

  source_policy_documents = [data.aws_iam_policy_document.build[each.key].json]

  statement {
    sid       = "RecordRun"
    actions   = ["dynamodb:PutItem"]
    resources = [var.runs_table_arn]
    condition {
      test     = "ForAllValues:StringEquals"
      variable = "dynamodb:LeadingKeys"
      values   = ["${var.schema}/runs"]
    }
  }
}
