select
    reason_rank,
    sentence,
    case when is_actionable then 'yes' else 'no' end as can_act,
    contribution_log_odds
from mart_customer_reason
where
    customer_id = coalesce(
        [[{{customer_id}},]]
        null,
        (
            select top.customer_id
            from mart_customer_profile as top
            where top.loss_rank = 1
        )
    )
order by reason_rank
