-- begins with ../shared/chosen_customer.sql

select
    month_start,
    margin_eur
from mart_customer_month
where customer_id = (select chosen.customer_id from chosen)
order by month_start
