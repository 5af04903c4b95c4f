-- The share of churners that each offer saves, by risk tier: learned from campaigns as far as there are any,
-- else the assumption of the seed economics.
with

tiers as (
    select * from {{ ref('risk_tiers') }}
),

offer_policy as (
    select * from {{ ref('offer_policy') }}
),

economics as (
    select
        max(case when name = 'save_probability' then value end) as save_probability,
        max(case when name = 'save_probability_weight' then value end) as prior_weight
    from {{ ref('economics') }}
),

learned as (
    select * from {{ source('ml', 'offer_save_rate') }}
),

newest as (
    select max(run_id) as run_id
    from learned
),

newest_rates as (
    select learned.*
    from learned
    inner join newest
        on learned.run_id = newest.run_id
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
        ---------- attributes
        {{ shown_offer('offers.offer') }} as offer_name,
        tiers.tier_rank,
        tiers.minimum_probability,
        offer_policy.timing,
        offers.monthly_margin_share,
        coalesce(offer_policy.offer is not null, false) as is_offer_of_tier,
        coalesce(newest_rates.treated_count, 0) > 0 as is_measured,
        ---------- share saved
        coalesce(newest_rates.save_probability, economics.save_probability) as save_probability,
        coalesce(
            newest_rates.save_probability_sd,
            sqrt(economics.save_probability * (1 - economics.save_probability) / economics.prior_weight)
        ) as save_probability_sd,
        newest_rates.save_probability_low,
        newest_rates.save_probability_high,
        economics.save_probability as prior_save_probability,
        economics.prior_weight,
        ---------- what it rests on
        coalesce(newest_rates.campaign_count, 0) as campaign_count,
        coalesce(newest_rates.treated_count, 0) as treated_count,
        coalesce(newest_rates.control_count, 0) as control_count
    from offers
    cross join tiers
    cross join economics
    left join offer_policy
        on
            offers.offer = offer_policy.offer
            and tiers.risk_tier = offer_policy.risk_tier
    left join newest_rates
        on
            offers.offer = newest_rates.offer
            and tiers.risk_tier = newest_rates.risk_tier
)

select * from final
