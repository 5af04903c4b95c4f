environment = "prod"
cidr_block  = "10.42.32.0/20"
budget_usd  = 800
multi_az    = true
