output "cluster_arn" {
  description = "The cluster."
  value       = aws_ecs_cluster.this.arn
}

output "dbt_task_arn" {
  description = "Task definition of the dbt runner."
  value       = aws_ecs_task_definition.dbt.arn
}

output "load_balancer_dns_name" {
  description = "What the name of Metabase points to."
  value       = aws_lb.metabase.dns_name
}
