select count(*) as customer_count
from mart_customer_risk
where
    is_at_risk
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province = {{province}}]]
