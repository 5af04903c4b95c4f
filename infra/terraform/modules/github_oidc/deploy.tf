data "aws_iam_policy_document" "deploy" {
  #checkov:skip=CKV_AWS_356:The registry's token has no resources
  statement {
    sid       = "Token"
    actions   = ["ecr:GetAuthorizationToken"] # of the registry as a whole
    resources = ["*"]
  }

  statement {
    sid = "Images"
    actions = [
      "ecr:BatchCheckLayerAvailability",
      "ecr:BatchGetImage",
      "ecr:CompleteLayerUpload",
      "ecr:DescribeImages",
      "ecr:GetDownloadUrlForLayer",
      "ecr:InitiateLayerUpload",
      "ecr:PutImage",
      "ecr:UploadLayerPart",
    ]
    resources = var.repository_arns
  }

  statement {
    sid       = "Smoke"
    actions   = ["lambda:InvokeFunction"]
    resources = ["arn:${local.partition}:lambda:*:${local.account}:function:${var.control_function_name}"]
  }

  statement {
    sid       = "Plan" # the one that was shown and approved
    actions   = ["s3:GetObject"]
    resources = ["${var.results_bucket_arn}/plans/*"]
  }

  statement {
    sid       = "Documents"
    actions   = ["s3:PutObject", "s3:GetObject"]
    resources = ["${var.results_bucket_arn}/docs/*", "${var.results_bucket_arn}/dbt/*"]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }
}

data "aws_iam_policy_document" "plan" {
  statement {
    sid       = "Plan"
    actions   = ["s3:PutObject"]
    resources = ["${var.results_bucket_arn}/plans/*"]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }
}

data "aws_iam_policy_document" "retrain" {
  statement {
    sid       = "Retrain"
    actions   = ["states:StartExecution"]
    resources = [var.state_machine_arn]
  }

  statement {
    sid       = "Wait"
    actions   = ["states:DescribeExecution"]
    resources = ["${replace(var.state_machine_arn, ":stateMachine:", ":execution:")}:*"]
  }
}
