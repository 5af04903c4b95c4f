select
    substring(cast(month_start as varchar), 1, 7) as month,
    count(*) as customer_count,
    sum(elec_kwh) as elec_kwh,
    sum(gas_m3) as gas_m3,
    sum(revenue_eur) as revenue_eur,
    sum(cost_eur) as cost_eur,
    sum(margin_eur) as margin_eur
from mart_customer_month
where
    true
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province = {{province}}]]
group by month_start
order by month_start
