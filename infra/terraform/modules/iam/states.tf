data "aws_iam_policy_document" "states" {
  #checkov:skip=CKV_AWS_111:The actions on "*" have no resources in IAM; each is named below
  #checkov:skip=CKV_AWS_356:The actions on "*" have no resources in IAM; each is named below
  statement {
    sid       = "Control"
    actions   = ["lambda:InvokeFunction"]
    resources = ["arn:${local.partition}:lambda:${var.region}:${local.account}:function:${var.name}-control:*"]
  }

  statement {
    sid       = "Dbt"
    actions   = ["ecs:RunTask"]
    resources = ["arn:${local.partition}:ecs:${var.region}:${local.account}:task-definition/${var.name}-dbt:*"]
  }

  statement {
    sid       = "TagTasks"
    actions   = ["ecs:TagResource"]
    resources = ["arn:${local.partition}:ecs:${var.region}:${local.account}:task/${var.name}/*"]
    condition {
      test     = "StringEquals"
      variable = "ecs:CreateAction"
      values   = ["RunTask"]
    }
  }

  statement {
    sid       = "DbtTasks"
    actions   = ["ecs:StopTask", "ecs:DescribeTasks"]
    resources = ["arn:${local.partition}:ecs:${var.region}:${local.account}:task/${var.name}/*"]
  }

  statement {
    sid = "Jobs"
    actions = [
      "sagemaker:CreateProcessingJob",
      "sagemaker:DescribeProcessingJob",
      "sagemaker:StopProcessingJob",
      "sagemaker:CreateTrainingJob",
      "sagemaker:DescribeTrainingJob",
      "sagemaker:StopTrainingJob",
      "sagemaker:AddTags",
    ]
    resources = [
      "arn:${local.partition}:sagemaker:${var.region}:${local.account}:processing-job/${var.name}-*",
      "arn:${local.partition}:sagemaker:${var.region}:${local.account}:training-job/${var.name}-*",
    ]
  }

  statement {
    sid       = "HandOver"
    actions   = ["iam:PassRole"]
    resources = [for role in ["ml", "dbt", "execution"] : aws_iam_role.this[role].arn]
    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["sagemaker.amazonaws.com", "ecs-tasks.amazonaws.com"]
    }
  }

  statement {
    sid       = "WaitForJobs" # the rules by which .sync hears of the end of a job
    actions   = ["events:PutTargets", "events:PutRule", "events:DescribeRule"]
    resources = [for rule in ["ECSTask", "SageMakerTrainingJobs", "SageMakerProcessingJobs"] : "arn:${local.partition}:events:${var.region}:${local.account}:rule/StepFunctionsGetEventsFor${rule}Rule"]
  }

  statement {
    sid       = "Notify"
    actions   = ["sns:Publish"]
    resources = ["arn:${local.partition}:sns:${var.region}:${local.account}:${var.name}-runs"]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }

  statement {
    sid = "DeliverLogs"
    # Step Functions' delivery of logs knows no resources.
    actions = [
      "logs:CreateLogDelivery",
      "logs:GetLogDelivery",
      "logs:UpdateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:ListLogDeliveries",
      "logs:PutResourcePolicy",
      "logs:DescribeResourcePolicies",
      "logs:DescribeLogGroups",
      "xray:PutTraceSegments",
      "xray:PutTelemetryRecords",
      "xray:GetSamplingRules",
      "xray:GetSamplingTargets",
    ]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "flow" {
  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = ["${local.log_group_arn}/flow", "${local.log_group_arn}/flow:*"]
  }
}
