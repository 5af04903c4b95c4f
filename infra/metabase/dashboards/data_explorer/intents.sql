select
    customer_intent,
    count(*) as interaction_count
from mart_customer_interaction
where
    true
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province = {{province}}]]
group by customer_intent
order by count(*) desc, customer_intent
