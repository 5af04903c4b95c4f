-- begins with ../shared/chosen_customer.sql

select
    interaction_date,
    interaction_channel,
    customer_intent,
    sentiment_label,
    interaction_summary
from mart_customer_interaction
where customer_id = (select chosen.customer_id from chosen)
order by recency_rank
