select
    interaction_date,
    interaction_channel,
    customer_intent,
    sentiment_label,
    interaction_summary
from mart_customer_interaction
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
order by recency_rank
