select
    segment,
    risk_tier,
    count(*) as customer_count
from mart_customer_risk
where
    true
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province_code = {{province_code}}]]
group by segment, risk_tier
order by segment, risk_tier
