environment = "staging"
cidr_block  = "10.42.16.0/20"
budget_usd  = 400
