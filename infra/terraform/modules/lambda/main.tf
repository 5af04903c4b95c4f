locals {
  functions = {
    trigger = { handler = "python_ml.aws.trigger.handler", memory = 512, seconds = 60 }
    control = { handler = "python_ml.aws.state_machine.handler", memory = 1024, seconds = 110 }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = local.functions

  name              = "/${var.name}/lambda/${each.key}"
  retention_in_days = 365
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_117:They call S3, DynamoDB and Step Functions alone, no address of ours; a VPC would add nothing
  #checkov:skip=CKV_AWS_272:Code signing is for zip archives; the image is named by its digest
  #checkov:skip=CKV_AWS_115:The account's concurrency is shared by nothing else; uploads come by the dozen
  for_each = local.functions

  function_name = "${var.name}-${each.key}"
  role          = var.role_arns[each.key]
  package_type  = "Image"
  image_uri     = var.image_uri
  architectures = ["x86_64"]
  memory_size   = each.value.memory
  timeout       = each.value.seconds
  publish       = true # a run goes on with the version that it began with
  kms_key_arn   = var.kms_key_arn

  image_config {
    command = [each.value.handler]
  }

  environment {
    variables = merge(var.settings, {
      STATE_MACHINE_ARN = var.state_machine_arn
      RUNS_TABLE        = var.runs_table
      WAREHOUSE         = var.schema
      DEFAULT_MODE      = var.default_mode
      EXECUTION_SECONDS = tostring(var.execution_seconds)
    })
  }

  dead_letter_config {
    target_arn = aws_sqs_queue.failed.arn
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this[each.key].name
  }

  tracing_config {
    mode = "Active"
  }
}

resource "aws_sqs_queue" "failed" {
  name                      = "${var.name}-failed-events"
  message_retention_seconds = 1209600
  kms_master_key_id         = var.kms_key_arn
}

data "aws_iam_policy_document" "failed" {
  statement {
    sid       = "LostEvents"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failed.arn]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.ended.arn]
    }
  }
}

resource "aws_sqs_queue_policy" "failed" {
  queue_url = aws_sqs_queue.failed.id
  policy    = data.aws_iam_policy_document.failed.json
}
