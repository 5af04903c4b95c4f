select
    customer_id,
    risk_tier,
    segment,
    province,
    sales_channel,
    portfolio_type,
    tenure_months,
    months_to_renewal,
    avg_monthly_elec_kwh,
    avg_monthly_gas_m3,
    avg_monthly_margin_eur
from mart_customer_risk
where
    true
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province = {{province}}]]
order by customer_id
limit 2000
