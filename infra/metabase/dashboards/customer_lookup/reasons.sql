-- begins with ../shared/chosen_customer.sql

select
    reason_rank,
    sentence,
    case when is_actionable then 'yes' else 'no' end as can_act,
    contribution_log_odds
from mart_customer_reason
where customer_id = (select chosen.customer_id from chosen)
order by reason_rank
