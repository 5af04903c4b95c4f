output "topic_arn" {
  description = "Topic that hears of every run."
  value       = aws_sns_topic.runs.arn
}
