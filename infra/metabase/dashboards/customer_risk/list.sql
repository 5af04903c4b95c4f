select
    customer_id,
    risk_tier,
    churn_probability,
    expected_monthly_loss_eur,
    avg_monthly_margin_eur,
    segment,
    province,
    sales_channel,
    months_to_renewal,
    reason_1
from mart_customer_risk
where
    true
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province = {{province}}]]
order by expected_monthly_loss_eur desc nulls last, customer_id
limit 2000
