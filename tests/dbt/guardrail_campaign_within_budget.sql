-- What a campaign plans to spend on those who are contacted stays within its budget.
select
    campaign,
    min(budget_eur) as budget_eur,
    sum(contact_cost_eur + offer_budget_eur) as planned_cost_eur
from {{ ref('bronze_campaign_assignment') }}
group by campaign
having sum(contact_cost_eur + offer_budget_eur) > min(budget_eur) + 0.01
