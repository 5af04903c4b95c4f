# What Metabase needs to start: the password of its own user of the database, and the key that it
# encrypts connection details with. Both are made here once; neither is in Terraform's state.
locals {
  secrets = {
    database = "Password of Metabase's own user of its database"
    key      = "Key that Metabase encrypts connection details with; without it they cannot be read"
  }
}

ephemeral "aws_secretsmanager_random_password" "this" {
  for_each = local.secrets

  password_length     = 48
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57:A new key could not read what the old one wrote; a new password is made by raising secret_version
  for_each = local.secrets

  name                    = "${var.name}-metabase-${each.key}"
  description             = each.value
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = 30
}

resource "aws_secretsmanager_secret_version" "this" {
  for_each = local.secrets

  secret_id                = aws_secretsmanager_secret.this[each.key].id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.this[each.key].random_password
  secret_string_wo_version = each.key == "database" ? var.secret_version : 1
}
