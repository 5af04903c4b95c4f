output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "The private subnets."
  value       = aws_subnet.private[*].id
}

output "security_group_ids" {
  description = "Security groups by name."
  value       = { for key, group in aws_security_group.this : key => group.id }
}
