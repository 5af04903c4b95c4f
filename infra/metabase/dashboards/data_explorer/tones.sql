select
    interaction_month,
    sentiment_label,
    count(*) as interaction_count
from mart_customer_interaction
where
    true
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province = {{province}}]]
group by interaction_month, sentiment_label
order by interaction_month, sentiment_label
