-- begins with ../shared/chosen_customer.sql

select case when decision = 'offered' then expected_net_value_eur else 0 end as expected_net_value_eur
from mart_recommendation
where customer_id = (select chosen.customer_id from chosen)
