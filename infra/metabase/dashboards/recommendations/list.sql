select
    recommendations.customer_id,
    recommendations.risk_tier,
    recommendations.churn_probability,
    recommendations.action_name as action,
    recommendations.discount_eur_month,
    recommendations.timing,
    recommendations.expected_net_value_eur,
    risks.segment,
    risks.province,
    recommendations.reasons
from mart_recommendation as recommendations
inner join mart_customer_risk as risks
    on recommendations.customer_id = risks.customer_id
where
    (recommendations.decision = 'offered' or recommendations.action_name = coalesce([[{{action}},]] null, 'offers'))
    and recommendations.action_name = coalesce([[{{action}},]] null, recommendations.action_name)
    [[and risks.risk_tier = {{risk_tier}}]]
    [[and risks.segment = {{segment}}]]
    [[and risks.province = {{province}}]]
order by recommendations.expected_net_value_eur desc, recommendations.customer_id
limit 2000
