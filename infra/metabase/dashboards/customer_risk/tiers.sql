select
    risk_tier,
    count(*) as customer_count
from mart_customer_risk
where
    true
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province = {{province}}]]
group by risk_tier
order by
    min(
        case mart_customer_risk.risk_tier
            when 'Critical' then 1 when 'High' then 2 when 'Medium' then 3 else 4
        end
    )
