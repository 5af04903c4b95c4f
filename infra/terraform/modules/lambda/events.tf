data "aws_caller_identity" "current" {}

resource "aws_lambda_permission" "uploads" {
  statement_id   = "Uploads"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this["trigger"].function_name
  principal      = "s3.amazonaws.com"
  source_arn     = var.data_bucket_arn
  source_account = data.aws_caller_identity.current.account_id
}

resource "aws_s3_bucket_notification" "uploads" {
  bucket = var.data_bucket

  lambda_function {
    lambda_function_arn = aws_lambda_function.this["trigger"].arn
    events              = ["s3:ObjectCreated:*"]
    filter_prefix       = "raw/"
  }

  depends_on = [aws_lambda_permission.uploads]
}

# An execution that was stopped, ran out of time or broke down takes no step any more: its lease comes
# back this way. One that has taken its failure path is recorded already, which changes nothing.
resource "aws_cloudwatch_event_rule" "ended" {
  name        = "${var.name}-ended"
  description = "Executions that ended without success"
  event_pattern = jsonencode({
    source        = ["aws.states"]
    "detail-type" = ["Step Functions Execution Status Change"]
    detail = {
      stateMachineArn = [var.state_machine_arn]
      status          = ["FAILED", "TIMED_OUT", "ABORTED"]
    }
  })
}

resource "aws_cloudwatch_event_target" "ended" {
  rule = aws_cloudwatch_event_rule.ended.name
  arn  = aws_lambda_function.this["control"].arn

  dead_letter_config {
    arn = aws_sqs_queue.failed.arn
  }
}

resource "aws_lambda_permission" "ended" {
  statement_id  = "Ended"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this["control"].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.ended.arn
}
