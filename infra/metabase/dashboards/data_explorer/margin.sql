select
    month_start,
    sum(margin_eur) as margin_eur,
    sum(revenue_eur) as revenue_eur,
    sum(cost_eur) as cost_eur
from mart_customer_month
where
    true
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province = {{province}}]]
group by month_start
order by month_start
