-- No offer where the margin in gold is negative, zero, null or not finite.
select
    recommendations.customer_id,
    recommendations.offer,
    customers.avg_monthly_margin_eur
from {{ ref('mart_recommendation') }} as recommendations
left join {{ ref('gold_master') }} as customers
    on
        recommendations.customer_id = customers.customer_id
        and recommendations.as_of_date = customers.as_of_date
where
    recommendations.offer <> 'no_offer'
    and not ({{ is_finite('customers.avg_monthly_margin_eur') }} and customers.avg_monthly_margin_eur > 0)
