output "cluster_arn" {
  description = "The cluster."
  value       = aws_ecs_cluster.this.arn
}

output "dbt_task_arn" {
  description = "Task definition of the dbt runner."
  value       = aws_ecs_task_definition.dbt.arn
}

output "load_balancer_arn_suffix" {
  description = "Load balancer of Metabase, as metrics name it."
  value       = aws_lb.metabase.arn_suffix
}

output "target_group_arn_suffix" {
  description = "Its target group, as metrics name it."
  value       = aws_lb_target_group.metabase.arn_suffix
}

output "database_identifier" {
  description = "Database of Metabase."
  value       = aws_db_instance.metabase.identifier
}

output "load_balancer_dns_name" {
  description = "What the name of Metabase points to."
  value       = aws_lb.metabase.dns_name
}
