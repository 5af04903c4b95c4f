-- begins with ../shared/chosen_customer.sql

select
    case when is_flagged then 'yes' else 'no' end as flagged,
    12 * expected_monthly_loss_eur as loss_eur_year
from mart_customer_risk
where customer_id = (select chosen.customer_id from chosen)
