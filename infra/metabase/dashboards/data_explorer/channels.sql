select
    sales_channel,
    count(*) as customer_count
from mart_customer_risk
where
    true
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province = {{province}}]]
group by sales_channel
order by count(*) desc, sales_channel
