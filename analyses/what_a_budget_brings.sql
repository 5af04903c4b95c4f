-- What would a campaign with a given budget bring, under each policy, at the save rates that are planned with?
select
    policy,
    budget_eur,
    offer_count,
    spent_eur,
    expected_saved_margin_eur,
    expected_net_value_eur
from {{ ref('mart_offer_budget') }}
where save_rate = 'as planned'
order by budget_eur, policy
