select
    customer_id,
    month_start,
    segment,
    province,
    risk_tier,
    elec_kwh,
    gas_m3,
    revenue_eur,
    cost_eur,
    margin_eur
from mart_customer_month
