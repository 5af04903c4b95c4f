select
    budget_eur,
    case policy when 'expected_value' then 'by expected value' else 'by risk tier' end as policy,
    max(expected_net_value_eur) as expected_net_value_eur
from mart_offer_budget
group by
    budget_eur,
    case policy when 'expected_value' then 'by expected value' else 'by risk tier' end
order by policy, budget_eur
