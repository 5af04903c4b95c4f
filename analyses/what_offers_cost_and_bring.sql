-- What do the offers cost, and what are they expected to bring?
select
    offer,
    decision,
    count(*) as customer_count,
    sum(offer_budget_eur + contact_cost_eur) as cost_eur,
    sum(expected_net_value_eur) as expected_net_value_eur
from {{ ref('mart_recommendation') }}
group by offer, decision
order by customer_count desc, offer asc, decision asc
