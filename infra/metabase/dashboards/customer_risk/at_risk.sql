select count(*) as customer_count
from mart_customer_risk
where
    risk_tier <> 'Low'
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province = {{province}}]]
