-- What would a campaign with a given budget bring, under each policy?
select
    policy,
    budget_eur,
    offer_count,
    spent_eur,
    expected_saved_margin_eur,
    expected_net_value_eur
from {{ ref('mart_offer_budget') }}
order by budget_eur, policy
