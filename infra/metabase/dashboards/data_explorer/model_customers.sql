select
    risks.customer_id,
    risks.as_of_date,
    risks.segment,
    risks.province,
    risks.risk_tier,
    risks.churn_probability,
    case when risks.is_flagged then 'yes' else 'no' end as flagged,
    case when risks.is_at_risk then 'yes' else 'no' end as at_risk,
    risks.avg_monthly_margin_eur,
    risks.expected_monthly_loss_eur,
    recommendations.action_name as action,
    recommendations.offer_budget_eur + recommendations.contact_cost_eur as offer_cost_eur,
    case when recommendations.decision = 'offered' then recommendations.expected_net_value_eur else 0 end
        as expected_net_value_eur
from mart_customer_risk as risks
inner join mart_recommendation as recommendations
    on risks.customer_id = recommendations.customer_id
