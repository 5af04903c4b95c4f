-- begins with ../shared/chosen_customer.sql

select
    month_start,
    elec_kwh,
    gas_m3
from mart_customer_month
where customer_id = (select chosen.customer_id from chosen)
order by month_start
