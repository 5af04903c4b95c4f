locals {
  # Counted by python_ml.aws.state_machine at the end of each run.
  alarms = {
    failure = {
      metric      = "RunFailed"
      description = "A run has failed; the notification of the run says where. docs/runbook.md"
      comparison  = "GreaterThanThreshold"
      threshold   = 0
      days        = 1
      missing     = "notBreaching"
      statistic   = "Maximum"
      period      = 300
    }
    drift = {
      metric      = "DriftAlarms"
      description = "Features or scores are no longer what the champion was trained on"
      comparison  = "GreaterThanThreshold"
      threshold   = var.drift_alarm_limit
      days        = 1
      missing     = "notBreaching"
      statistic   = "Maximum"
      period      = 300
    }
    freshness = {
      metric      = "RunSucceeded"
      description = "No run has been published for a week: the dashboards show old scores"
      comparison  = "LessThanThreshold"
      threshold   = 1
      days        = 7
      missing     = "breaching"
      statistic   = "Maximum"
      period      = 86400
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "run" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "SpanishGas"
  metric_name         = each.value.metric
  dimensions          = { Warehouse = var.schema }
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.days
  datapoints_to_alarm = each.value.days
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.runs.arn]
}

resource "aws_cloudwatch_metric_alarm" "failed_events" {
  alarm_name          = "${var.name}-failed-events"
  alarm_description   = "An upload could not be taken; its event waits in the queue. docs/runbook.md"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = var.failed_queue_name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.runs.arn]
}
