# Runs, the lease and uploads; docs/runs.md documents the items.
resource "aws_dynamodb_table" "runs" {
  name                        = "${var.name}-runs"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "warehouse"
  range_key                   = "item"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "warehouse"
    type = "S"
  }

  attribute {
    name = "item"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}
