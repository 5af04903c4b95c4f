select
    customer_id,
    interaction_date,
    interaction_channel,
    customer_intent,
    sentiment_label,
    sentiment_score,
    segment,
    province,
    risk_tier
from mart_customer_interaction
