-- begins with ../shared/chosen_customer.sql

select customer_id
from mart_customer_profile
where customer_id = (select chosen.customer_id from chosen)
