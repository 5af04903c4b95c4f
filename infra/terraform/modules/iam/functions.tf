locals {
  table_actions = [
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "dynamodb:Query",
  ]
  state_machine_arn = "arn:${local.partition}:states:${var.region}:${local.account}:stateMachine:${var.name}"
  log_group_arn     = "arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/${var.name}"
}

data "aws_iam_policy_document" "trigger" {
  #checkov:skip=CKV_AWS_111:Traces have no resources in IAM
  #checkov:skip=CKV_AWS_356:Traces have no resources in IAM
  statement {
    sid       = "ListUploads"
    actions   = ["s3:ListBucket"]
    resources = [var.data_bucket_arn]
    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["raw/*"]
    }
  }

  statement {
    sid       = "ReadMarkers"
    actions   = ["s3:GetObject"]
    resources = ["${var.data_bucket_arn}/raw/*/_SUCCESS"]
  }

  statement {
    sid       = "Claim"
    actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    resources = [var.runs_table_arn]
  }

  statement {
    sid       = "Start"
    actions   = ["states:StartExecution"]
    resources = [local.state_machine_arn]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.log_group_arn}/lambda/*"]
  }

  statement {
    sid       = "FailedEvents"
    actions   = ["sqs:SendMessage"]
    resources = ["arn:${local.partition}:sqs:${var.region}:${local.account}:${var.name}-failed-events"]
  }

  statement {
    sid       = "Traces"
    actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "control" {
  #checkov:skip=CKV_AWS_111:PutMetricData has no resources; the condition holds it to our namespace
  #checkov:skip=CKV_AWS_356:PutMetricData has no resources; the condition holds it to our namespace
  source_policy_documents = [data.aws_iam_policy_document.build["control"].json]

  statement {
    sid       = "Runs"
    actions   = local.table_actions
    resources = [var.runs_table_arn]
  }

  statement {
    sid       = "Metrics"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["SpanishGas"]
    }
  }

  statement {
    sid       = "Expiry" # its check of a deployment says whether query results expire
    actions   = ["s3:GetLifecycleConfiguration"]
    resources = [var.results_bucket_arn]
  }

  statement {
    sid       = "Holder" # whether the execution that holds the lease still runs
    actions   = ["states:DescribeExecution"]
    resources = ["${replace(local.state_machine_arn, ":stateMachine:", ":execution:")}:*"]
  }

  statement {
    sid       = "Costs"
    actions   = ["athena:ListQueryExecutions", "athena:BatchGetQueryExecution"]
    resources = [var.workgroup_arn]
  }

  statement {
    sid       = "Approved" # whether the model of a run is
    actions   = ["sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages"]
    resources = local.registry_arns
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.log_group_arn}/lambda/*"]
  }

  statement {
    sid       = "FailedEvents"
    actions   = ["sqs:SendMessage"]
    resources = ["arn:${local.partition}:sqs:${var.region}:${local.account}:${var.name}-failed-events"]
  }

  statement {
    sid       = "Traces"
    actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    resources = ["*"]
  }
}
