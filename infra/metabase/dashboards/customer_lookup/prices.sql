-- begins with ../shared/chosen_customer.sql

select
    month_start,
    elec_price_eur_kwh,
    elec_var_cost_eur_kwh
from mart_customer_month
where customer_id = (select chosen.customer_id from chosen)
order by month_start
