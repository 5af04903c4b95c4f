locals {
  groups = {
    endpoints    = "Interface endpoints"
    jobs         = "dbt and ML jobs"
    loadbalancer = "Load balancer of Metabase"
    metabase     = "Metabase"
    database     = "Database of Metabase"
  }

  # Who may call whom, and nobody else.
  allowed = {
    "jobs-endpoints"        = { from = "jobs", to = "endpoints", port = 443 }
    "metabase-endpoints"    = { from = "metabase", to = "endpoints", port = 443 }
    "loadbalancer-metabase" = { from = "loadbalancer", to = "metabase", port = 3000 }
    "metabase-database"     = { from = "metabase", to = "database", port = 5432 }
    # Machines of one job: SageMaker encrypts what they say to each other by IPsec (IKE and ESP).
    # https://docs.aws.amazon.com/sagemaker/latest/dg/train-encrypt.html
    "jobs-jobs-ike" = { from = "jobs", to = "jobs", port = 500, protocol = "udp" }
    "jobs-jobs-esp" = { from = "jobs", to = "jobs", protocol = "50" }
  }
}

resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:Tasks, jobs, load balancer, database and endpoints carry them, in other modules
  for_each = local.groups

  name        = "${var.name}-${each.key}"
  description = each.value
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "between" {
  for_each = local.allowed

  security_group_id            = aws_security_group.this[each.value.to].id
  referenced_security_group_id = aws_security_group.this[each.value.from].id
  from_port                    = try(each.value.port, null)
  to_port                      = try(each.value.port, null)
  ip_protocol                  = try(each.value.protocol, "tcp")
  description                  = "From ${each.value.from}"
}

resource "aws_vpc_security_group_egress_rule" "between" {
  for_each = local.allowed

  security_group_id            = aws_security_group.this[each.value.from].id
  referenced_security_group_id = aws_security_group.this[each.value.to].id
  from_port                    = try(each.value.port, null)
  to_port                      = try(each.value.port, null)
  ip_protocol                  = try(each.value.protocol, "tcp")
  description                  = "To ${each.value.to}"
}

resource "aws_vpc_security_group_egress_rule" "gateway" {
  for_each = {
    for pair in setproduct(["jobs", "metabase"], ["s3", "dynamodb"]) : join("-", pair) => pair
  }

  security_group_id = aws_security_group.this[each.value[0]].id
  prefix_list_id    = aws_vpc_endpoint.gateway[each.value[1]].prefix_list_id
  from_port         = 443
  to_port           = 443
  ip_protocol       = "tcp"
  description       = "To ${each.value[1]}, through its gateway endpoint"
}

resource "aws_vpc_security_group_ingress_rule" "office" {
  for_each = toset(var.office_cidr_blocks)

  security_group_id = aws_security_group.this["loadbalancer"].id
  cidr_ipv4         = each.value
  from_port         = 443
  to_port           = 443
  ip_protocol       = "tcp"
  description       = "People in the company's network"
}
