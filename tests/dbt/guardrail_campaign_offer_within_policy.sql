-- An arm is an offer that the policy knows, and no discount is above the largest share that it grants for it.
-- Campaigns that started on earlier scores keep the offers that the policy knew then.
with

offers as (
    select
        offer,
        max(monthly_margin_share) as monthly_margin_share
    from {{ ref('mart_offer_rate') }}
    group by offer
)

select
    assignments.campaign,
    assignments.customer_id,
    assignments.arm
from {{ ref('bronze_campaign_assignment') }} as assignments
left join offers
    on assignments.arm = offers.offer
where
    assignments.is_treated
    and assignments.scored_run_id = {{ shown_run_id() }}
    and (
        offers.offer is null
        or assignments.discount_eur_month
        > offers.monthly_margin_share * assignments.avg_monthly_margin_eur + 0.000001
    )
