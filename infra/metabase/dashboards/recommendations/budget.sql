select
    budget_eur,
    replace(policy, '_', ' ') as policy,
    expected_net_value_eur
from mart_offer_budget
order by policy, budget_eur
