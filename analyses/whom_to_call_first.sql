-- Whom should the retention team call first, with which offer, and why?
select
    recommendations.customer_id,
    recommendations.risk_tier,
    recommendations.churn_probability,
    recommendations.expected_monthly_loss_eur,
    recommendations.offer,
    recommendations.timing,
    risks.reason_1,
    risks.reason_2
from {{ ref('mart_recommendation') }} as recommendations
inner join {{ ref('mart_customer_risk') }} as risks
    on recommendations.customer_id = risks.customer_id
where recommendations.decision = 'offered'
order by recommendations.value_rank, recommendations.customer_id
limit 100
