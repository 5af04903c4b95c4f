environment = "dev"
cidr_block  = "10.42.0.0/20"
budget_usd  = 300
raw_days    = 60
