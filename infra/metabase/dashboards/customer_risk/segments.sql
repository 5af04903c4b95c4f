select
    segment,
    risk_tier,
    count(*) as customer_count
from mart_customer_risk
where
    true
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province = {{province}}]]
group by segment, risk_tier
order by case segment when 'Residential' then 1 when 'SME' then 2 else 3 end, risk_tier
