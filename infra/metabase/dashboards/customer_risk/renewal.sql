select
    renewal_bucket,
    risk_tier,
    count(*) as customer_count
from mart_customer_risk
where
    true
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province = {{province}}]]
group by renewal_bucket, risk_tier
order by min(months_to_renewal), risk_tier
