select
    month_start,
    avg(elec_price_eur_kwh) as elec_price_eur_kwh,
    avg(elec_var_cost_eur_kwh) as elec_var_cost_eur_kwh
from mart_customer_month
where
    true
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province = {{province}}]]
group by month_start
order by month_start
