select
    event_date,
    event_name,
    detail
from mart_customer_event
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
order by event_date desc, event_name
