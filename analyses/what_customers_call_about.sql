-- What do customers contact us about, and in which mood?
select
    interaction_month,
    customer_intent,
    sentiment_label,
    count(*) as interaction_count,
    count(distinct customer_id) as customer_count
from {{ ref('mart_customer_interaction') }}
group by interaction_month, customer_intent, sentiment_label
order by interaction_month asc, interaction_count desc, customer_intent asc, sentiment_label asc
