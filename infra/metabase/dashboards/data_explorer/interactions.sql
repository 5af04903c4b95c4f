select
    interaction_date,
    customer_id,
    risk_tier,
    interaction_channel,
    customer_intent,
    sentiment_label,
    sentiment_score,
    interaction_summary
from mart_customer_interaction
where
    true
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province = {{province}}]]
order by interaction_date desc, interaction_id
limit 2000
