data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  host      = "token.actions.githubusercontent.com"
  # Who may take which role: a job names its environment of GitHub, and only that of deploy has reviewers.
  subjects = {
    plan    = "repo:${var.repository}:environment:${var.environment}-plan"
    deploy  = "repo:${var.repository}:environment:${var.environment}"
    retrain = "repo:${var.repository}:environment:${var.environment}-retrain"
  }
}

resource "aws_iam_openid_connect_provider" "github" {
  count = var.creates_provider ? 1 : 0

  url            = "https://${local.host}"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "assume" {
  #checkov:skip=CKV_AWS_358:The claim is exact, one for each role in local.subjects, which the check does not follow
  for_each = local.subjects

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = ["arn:${local.partition}:iam::${local.account}:oidc-provider/${local.host}"]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.host}:aud"
      values   = ["sts.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.host}:sub"
      values   = [each.value]
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.subjects

  name                 = "${var.name}-github-${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.assume[each.key].json
  max_session_duration = 14400
}

resource "aws_iam_role_policy" "this" {
  for_each = {
    plan    = data.aws_iam_policy_document.plan.json
    deploy  = data.aws_iam_policy_document.deploy.json
    retrain = data.aws_iam_policy_document.retrain.json
  }

  name   = each.key
  role   = aws_iam_role.this[each.key].id
  policy = each.value
}

# What `terraform plan` and `apply` need changes with the modules; the account's administrators
# hand it to the roles, bounded as they bound everybody (docs/runbook.md).
resource "aws_iam_role_policy_attachment" "terraform" {
  for_each = var.terraform_policy_arns

  role       = aws_iam_role.this[each.key].name
  policy_arn = each.value
}
