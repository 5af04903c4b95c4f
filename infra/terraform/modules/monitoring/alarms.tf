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

locals {
  # What AWS counts itself: also of what broke before our own code could speak.
  service_alarms = merge({
    failed-events = {
      description = "An event could not be taken; it waits in the queue. docs/runbook.md"
      metric      = "AWS/SQS:ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = var.failed_queue_name }
      statistic   = "Maximum"
      above       = 0
    }
    database-storage = {
      description = "Metabase's database has less than 2 GB left, and grows to 100 GB at most"
      metric      = "AWS/RDS:FreeStorageSpace"
      dimensions  = { DBInstanceIdentifier = var.database_identifier }
      statistic   = "Minimum"
      below       = 2000000000
    }
    metabase-down = {
      description = "Metabase does not answer: nobody sees the dashboards"
      metric      = "AWS/ApplicationELB:HealthyHostCount"
      dimensions  = { LoadBalancer = var.load_balancer_arn_suffix, TargetGroup = var.target_group_arn_suffix }
      statistic   = "Maximum"
      below       = 1
    }
    }, {
    for status in ["ExecutionsFailed", "ExecutionsAborted", "ExecutionsTimedOut"] :
    "states-${lower(trimprefix(status, "Executions"))}" => {
      description = "An execution of the state machine ended without success, whether or not it could say so"
      metric      = "AWS/States:${status}"
      dimensions  = { StateMachineArn = var.state_machine_arn }
      statistic   = "Sum"
      above       = 0
    }
    }, {
    for key, name in var.function_names : "${key}-errors" => {
      description = "The function ${key} failed, or could not start"
      metric      = "AWS/Lambda:Errors"
      dimensions  = { FunctionName = name }
      statistic   = "Sum"
      above       = 2 # Lambda and Step Functions ask again
    }
  })
}

resource "aws_cloudwatch_metric_alarm" "service" {
  for_each = local.service_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = split(":", each.value.metric)[0]
  metric_name         = split(":", each.value.metric)[1]
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = can(each.value.below) ? 3 : 1
  comparison_operator = can(each.value.below) ? "LessThanThreshold" : "GreaterThanThreshold"
  threshold           = try(each.value.below, each.value.above)
  treat_missing_data  = can(each.value.below) ? "breaching" : "notBreaching"
  alarm_actions       = [aws_sns_topic.runs.arn]
}
