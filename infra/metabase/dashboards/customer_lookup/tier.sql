-- begins with ../shared/chosen_customer.sql

select risk_tier
from mart_customer_risk
where customer_id = (select chosen.customer_id from chosen)
