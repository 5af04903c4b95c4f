select
    risks.churn_probability_low,
    risks.churn_probability_high,
    case when risks.is_flagged then 'yes' else 'no' end as flagged,
    replace(recommendations.decision, '_', ' ') as decision,
    recommendations.timing,
    recommendations.discount_eur_month
from mart_customer_risk as risks
inner join mart_recommendation as recommendations
    on risks.customer_id = recommendations.customer_id
where
    risks.customer_id = coalesce(
        [[{{customer_id}},]]
        null,
        (
            select top.customer_id
            from mart_customer_profile as top
            where top.loss_rank = 1
        )
    )
