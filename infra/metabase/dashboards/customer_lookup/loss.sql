-- begins with ../shared/chosen_customer.sql

select expected_monthly_loss_eur
from mart_customer_risk
where customer_id = (select chosen.customer_id from chosen)
