data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  glue      = "arn:${local.partition}:glue:${var.region}:${local.account}"
  # The roles, and which service takes each.
  roles = {
    trigger   = "lambda.amazonaws.com"
    control   = "lambda.amazonaws.com"
    states    = "states.amazonaws.com"
    dbt       = "ecs-tasks.amazonaws.com"
    metabase  = "ecs-tasks.amazonaws.com"
    execution = "ecs-tasks.amazonaws.com"
    ml        = "sagemaker.amazonaws.com"
    flow      = "vpc-flow-logs.amazonaws.com"
  }
  policies = {
    trigger   = data.aws_iam_policy_document.trigger.json
    control   = data.aws_iam_policy_document.control.json
    states    = data.aws_iam_policy_document.states.json
    dbt       = data.aws_iam_policy_document.job["dbt"].json
    metabase  = data.aws_iam_policy_document.metabase.json
    execution = data.aws_iam_policy_document.execution.json
    ml        = data.aws_iam_policy_document.ml.json
    flow      = data.aws_iam_policy_document.flow.json
  }
}

data "aws_iam_policy_document" "assume" {
  for_each = local.roles

  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = [each.value]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.assume[each.key].json
}

resource "aws_iam_role_policy" "this" {
  for_each = local.roles

  name   = each.key
  role   = aws_iam_role.this[each.key].id
  policy = local.policies[each.key]
}
