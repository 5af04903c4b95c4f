-- The share of would-be churners that each offer keeps, by risk tier: what a campaign has measured, or
-- else the assumption of the seed economics.
with

tiers as (
    select * from {{ ref('risk_tiers') }}
),

offer_policy as (
    select * from {{ ref('offer_policy') }}
),

economics as (
    select * from {{ ref('economics') }}
),

prior as (
    select max(case when name = 'save_probability' then value end) as save_probability
    from economics
),

offers as (
    select
        offer,
        max(monthly_margin_share) as monthly_margin_share
    from offer_policy
    where offer <> 'no_offer'
    group by offer
    union all
    select
        'contact_only' as offer,
        0e0 as monthly_margin_share
),

final as (
    select
        offers.offer,
        tiers.risk_tier,
        offers.monthly_margin_share,
        coalesce(offer_policy.offer is not null, false) as is_offer_of_tier,
        prior.save_probability
    from offers
    cross join tiers
    cross join prior
    left join offer_policy
        on
            offers.offer = offer_policy.offer
            and tiers.risk_tier = offer_policy.risk_tier
)

select * from final
