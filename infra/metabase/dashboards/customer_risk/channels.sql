select
    sales_channel,
    avg(churn_probability) as churn_probability,
    count(*) as customer_count
from mart_customer_risk
where
    true
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province = {{province}}]]
group by sales_channel
order by churn_probability desc, sales_channel
