-- C01234, c01234, 1234 and 01234 are the same customer; an id as it is written comes first.
with

wanted as (
    select
        trim(
            coalesce(
                [[{{customer_id}},]]
                null,
                (
                    select top.customer_id
                    from mart_customer_profile as top
                    where top.loss_rank = 1
                )
            )
        ) as typed
),

spellings as (
    select
        typed,
        upper(typed) as capital,
        'C' || substring('0000', length(replace(upper(typed), 'C', ''))) || replace(upper(typed), 'C', '') as padded
    from wanted
),

chosen as (
    select
        coalesce(
            max(case when profiles.customer_id = spellings.typed then profiles.customer_id end),
            max(case when upper(profiles.customer_id) = spellings.capital then profiles.customer_id end),
            max(case when profiles.customer_id = spellings.padded then profiles.customer_id end)
        ) as customer_id
    from mart_customer_profile as profiles
    cross join spellings
)

select
    case decision
        when 'offered' then 'offer to make'
        when 'held_out' then 'control group: do not contact'
        when 'low_risk' then 'no offer: low risk'
        else 'no offer: ' || replace(decision, '_', ' ')
    end as decision,
    timing,
    discount_eur_month,
    case when avg_monthly_margin_eur > 0 then discount_eur_month / avg_monthly_margin_eur end as offer_margin_share,
    offer_budget_eur + contact_cost_eur as offer_cost_eur,
    case
        when offer_budget_eur + contact_cost_eur > 0
            then expected_net_value_eur / (offer_budget_eur + contact_cost_eur)
    end as return_on_offer
from mart_recommendation
where customer_id = (select chosen.customer_id from chosen)
