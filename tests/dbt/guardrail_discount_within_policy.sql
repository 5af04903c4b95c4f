-- No discount is above the share of the monthly margin that the policy grants for the offer.
select
    recommendations.customer_id,
    recommendations.discount_eur_month
from {{ ref('mart_recommendation') }} as recommendations
inner join {{ ref('gold_master') }} as customers
    on
        recommendations.customer_id = customers.customer_id
        and recommendations.as_of_date = customers.as_of_date
left join {{ ref('mart_offer_rate') }} as offer_policy
    on
        recommendations.offer = offer_policy.offer
        and recommendations.risk_tier = offer_policy.risk_tier
where
    not {{ is_finite('recommendations.discount_eur_month') }}
    or recommendations.discount_eur_month < 0
    or (
        recommendations.discount_eur_month > 0
        and recommendations.discount_eur_month
        > coalesce(offer_policy.monthly_margin_share, 0) * customers.avg_monthly_margin_eur + 0.000001
    )
