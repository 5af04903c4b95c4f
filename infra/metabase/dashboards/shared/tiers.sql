select distinct
    risk_tier,
    tier_rank
from mart_customer_risk
order by tier_rank desc
