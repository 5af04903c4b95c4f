-- begins with ../shared/chosen_customer.sql

select
    event_date,
    event_name,
    detail
from mart_customer_event
where customer_id = (select chosen.customer_id from chosen)
order by event_date desc, event_name
