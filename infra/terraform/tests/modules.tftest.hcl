# What modules decide by themselves: `terraform test`, which tests/infra runs with the tests' provider.

provider "aws" {
  region = "eu-south-2"
}

variables {
  name           = "sg-test"
  region         = "eu-south-2"
  kms_key_arn    = "arn:aws:kms:eu-south-2:111122223333:key/1"
  mail_addresses = []
}

run "one_environment_of_an_account_makes_its_identity_provider" {
  module {
    source = "./modules/github_oidc"
  }

  variables {
    environment           = "dev"
    repository            = "owner/name"
    creates_provider      = true
    repository_arns       = ["arn:aws:ecr:eu-south-2:111122223333:repository/sg-test/dbt"]
    control_function_name = "sg-test-control"
    state_machine_arn     = "arn:aws:states:eu-south-2:111122223333:stateMachine:sg-test"
    results_bucket_arn    = "arn:aws:s3:::results"
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 1
    error_message = "The account gets no provider for GitHub."
  }

  assert {
    condition     = toset(keys(output.role_arns)) == toset(["plan", "deploy", "retrain"])
    error_message = "The workflows have three roles."
  }
}

run "the_others_use_it" {
  module {
    source = "./modules/github_oidc"
  }

  variables {
    environment           = "staging"
    repository            = "owner/name"
    creates_provider      = false
    repository_arns       = ["arn:aws:ecr:eu-south-2:111122223333:repository/sg-test/dbt"]
    control_function_name = "sg-test-control"
    state_machine_arn     = "arn:aws:states:eu-south-2:111122223333:stateMachine:sg-test"
    results_bucket_arn    = "arn:aws:s3:::results"
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0
    error_message = "A second provider for GitHub would be refused."
  }

  assert {
    condition     = strcontains(aws_iam_role.this["deploy"].assume_role_policy, "repo:owner/name:environment:staging\"")
    error_message = "Only jobs of the environment may deploy to it."
  }
}

run "subnets_lie_apart_and_nobody_outside_comes_in" {
  module {
    source = "./modules/networking"
  }

  variables {
    cidr_block         = "10.42.16.0/20"
    office_cidr_blocks = []
    flow_log_role_arn  = "arn:aws:iam::111122223333:role/sg-test-flow"
  }

  assert {
    condition     = aws_subnet.private[*].cidr_block == ["10.42.16.0/24", "10.42.17.0/24"]
    error_message = "Two subnets of the VPC's addresses."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.office) == 0
    error_message = "Without an office network nobody reaches Metabase."
  }
}

run "a_public_network_is_refused" {
  command = plan

  module {
    source = "./modules/networking"
  }

  variables {
    office_cidr_blocks = ["8.8.8.0/24"]
    flow_log_role_arn  = "arn:aws:iam::111122223333:role/sg-test-flow"
  }

  expect_failures = [var.office_cidr_blocks]
}

run "data_can_be_destroyed_only_when_that_was_said" {
  module {
    source = "./modules/s3"
  }

  variables {
    deletion_protection = true
  }

  assert {
    condition     = alltrue([for bucket in aws_s3_bucket.this : !bucket.force_destroy])
    error_message = "A bucket with data would be emptied."
  }

  assert {
    condition     = toset(keys(aws_s3_bucket_versioning.this)) == toset(["data", "results"])
    error_message = "Data and results keep their versions."
  }
}

run "alarms_tell_of_too_little_and_of_too_much" {
  module {
    source = "./modules/monitoring"
  }

  variables {
    schema                   = "sg_test"
    budget_usd               = 10
    failed_queue_name        = "failed"
    database_identifier      = "database"
    load_balancer_arn_suffix = "app/1"
    target_group_arn_suffix  = "targetgroup/1"
    state_machine_arn        = "arn:aws:states:eu-south-2:111122223333:stateMachine:sg-test"
    function_names           = { control = "sg-test-control" }
  }

  assert {
    condition = alltrue([
      for key in ["database-storage", "metabase-down"] :
      aws_cloudwatch_metric_alarm.service[key].comparison_operator == "LessThanThreshold" &&
      aws_cloudwatch_metric_alarm.service[key].treat_missing_data == "breaching"
    ])
    error_message = "Of these too little is an alarm, and silence, too."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.service["control-errors"].threshold == 2
    error_message = "One error is tried again."
  }
}
