select
    customer_id,
    risk_tier,
    churn_probability,
    expected_monthly_loss_eur,
    segment,
    province_code,
    reason_1
from mart_customer_risk
where
    true
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province_code = {{province_code}}]]
order by expected_monthly_loss_eur desc, customer_id
limit 500
