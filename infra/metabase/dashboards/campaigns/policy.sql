select
    budgets.policy_name as policy,
    max(budgets.offer_count) as offer_count,
    max(budgets.spent_eur) as spent_eur,
    max(budgets.expected_net_value_eur) as expected_net_value_eur
from mart_offer_budget as budgets
where budgets.save_rate = 'as planned'
group by budgets.policy_name
order by max(budgets.expected_net_value_eur) desc
limit 10
