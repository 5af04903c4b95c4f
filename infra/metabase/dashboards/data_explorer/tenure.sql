select
    tenure_bucket,
    count(*) as customer_count
from mart_customer_risk
where
    true
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province = {{province}}]]
group by tenure_bucket
order by min(tenure_months)
