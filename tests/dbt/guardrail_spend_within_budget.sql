-- Discounts and contacts of the offers made stay within the budget of the campaign, where it has one.
with

spent as (
    select sum(offer_budget_eur + contact_cost_eur) as spent_eur
    from {{ ref('mart_recommendation') }}
)

select
    spent.spent_eur,
    campaign.budget_eur
from {{ ref('offer_campaign') }} as campaign
cross join spent
where not coalesce(campaign.budget_eur is null or spent.spent_eur <= campaign.budget_eur + 0.000001, false)
