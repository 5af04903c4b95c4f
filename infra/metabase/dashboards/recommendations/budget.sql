select
    budget_eur,
    policy_name as policy,
    max(expected_net_value_eur) as expected_net_value_eur
from mart_offer_budget
where save_rate = {{save_rate}}
group by budget_eur, policy_name
order by policy, budget_eur
