-- begins with ../shared/chosen_customer.sql

select churn_probability
from mart_customer_risk
where customer_id = (select chosen.customer_id from chosen)
