locals {
  viewed_tables = ["pipeline_run", "pipeline_step", "quality_check", "query_cost"]
  registry_arns = [
    "arn:${local.partition}:sagemaker:${var.region}:${local.account}:model-package-group/${var.name}-churn",
    "arn:${local.partition}:sagemaker:${var.region}:${local.account}:model-package/${var.name}-churn/*",
  ]
}

data "aws_iam_policy_document" "ml" {
  #checkov:skip=CKV_AWS_109:A network interface's permission is what SageMaker asks for a job in a VPC
  #checkov:skip=CKV_AWS_111:The actions on "*" have no resources in IAM; each is named below
  #checkov:skip=CKV_AWS_356:The actions on "*" have no resources in IAM; each is named below
  source_policy_documents = [data.aws_iam_policy_document.job["ml"].json]

  statement {
    sid = "Registry"
    actions = [
      "sagemaker:CreateModelPackage",
      "sagemaker:UpdateModelPackage",
      "sagemaker:DescribeModelPackage",
      "sagemaker:ListModelPackages",
    ]
    resources = local.registry_arns
  }

  statement {
    sid = "EncryptJobs"
    # SageMaker encrypts a job's volume by a grant, and its artifacts with the key itself.
    actions   = ["kms:CreateGrant", "kms:Encrypt"]
    resources = [var.kms_key_arn]
  }

  statement {
    sid       = "Artifacts"
    actions   = ["s3:PutObject"]
    resources = ["${var.results_bucket_arn}/training/*"]
  }

  statement {
    sid       = "Image"
    actions   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
    resources = var.repository_arns
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = ["arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/aws/sagemaker/*"]
  }

  statement {
    sid = "InTheVpc"
    # A job in a VPC makes its own network interfaces; the token is the registry's as a whole.
    actions = [
      "ecr:GetAuthorizationToken",
      "ec2:CreateNetworkInterface",
      "ec2:CreateNetworkInterfacePermission",
      "ec2:DeleteNetworkInterface",
      "ec2:DeleteNetworkInterfacePermission",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeVpcs",
      "ec2:DescribeDhcpOptions",
      "ec2:DescribeSubnets",
      "ec2:DescribeSecurityGroups",
    ]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "metabase" {
  source_policy_documents = [data.aws_iam_policy_document.query.json]

  # Marts, and the tables of Python's that marts which are views read (models/marts).
  statement {
    sid     = "ReadMarts"
    actions = ["s3:GetObject"]
    resources = concat(
      ["${var.data_bucket_arn}/warehouse/${var.schema}_run_*/mart_*"],
      [for table in local.viewed_tables : "${var.data_bucket_arn}/ml/${table}/*"],
    )
  }

  statement {
    sid       = "ListMarts"
    actions   = ["s3:ListBucket"]
    resources = [var.data_bucket_arn]
    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = concat(["warehouse/${var.schema}_run_*/mart_*"], [for table in local.viewed_tables : "ml/${table}/*"])
    }
  }

  statement {
    sid       = "Stop" # a question that its user has left
    actions   = ["athena:StopQueryExecution"]
    resources = [var.workgroup_arn]
  }

  statement {
    sid       = "TableMetadata"
    actions   = ["athena:GetTableMetadata", "athena:ListTableMetadata", "athena:ListDatabases", "athena:GetDataCatalog"]
    resources = ["arn:${local.partition}:athena:${var.region}:${local.account}:datacatalog/AwsDataCatalog"]
  }
}

data "aws_iam_policy_document" "execution" {
  statement {
    sid       = "Image"
    actions   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
    resources = var.repository_arns
  }

  statement {
    sid       = "Token"
    actions   = ["ecr:GetAuthorizationToken"] # of the registry as a whole
    resources = ["*"]
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.log_group_arn}/ecs/*"]
  }

  statement {
    sid       = "AdministratorSecret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = ["arn:${local.partition}:secretsmanager:${var.region}:${local.account}:secret:rds!db-*"]
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/aws:rds:primaryDBInstanceArn"
      values   = ["arn:${local.partition}:rds:${var.region}:${local.account}:db:${var.name}-metabase"]
    }
  }

  statement {
    sid       = "OwnSecrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = ["arn:${local.partition}:secretsmanager:${var.region}:${local.account}:secret:${var.name}-metabase-*"]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt"]
    resources = [var.kms_key_arn]
  }
}
