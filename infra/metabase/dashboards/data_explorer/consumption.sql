select
    month_start,
    sum(elec_kwh) as elec_kwh,
    sum(gas_m3) as gas_m3
from mart_customer_month
where
    true
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province = {{province}}]]
group by month_start
order by month_start
