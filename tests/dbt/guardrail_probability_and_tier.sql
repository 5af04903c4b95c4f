-- A probability lies within 0 and 1, and the tier that came with it is the one of the seed.
with

bounds as (
    select
        risk_tier,
        minimum_probability,
        lead(minimum_probability) over (order by minimum_probability) as next_probability
    from {{ ref('risk_tiers') }}
)

select
    risks.customer_id,
    risks.churn_probability,
    risks.risk_tier
from {{ ref('mart_customer_risk') }} as risks
left join bounds
    on risks.risk_tier = bounds.risk_tier
where
    not coalesce(
        risks.churn_probability between 0 and 1
        and risks.churn_probability >= bounds.minimum_probability
        and (bounds.next_probability is null or risks.churn_probability < bounds.next_probability),
        false
    )
