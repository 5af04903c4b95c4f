select coalesce(sum(recommendations.offer_budget_eur + recommendations.contact_cost_eur), 0) as offer_cost_eur
from mart_recommendation as recommendations
inner join mart_customer_risk as risks
    on recommendations.customer_id = risks.customer_id
where
    recommendations.decision = 'offered'
    [[and recommendations.action_name = {{action}}]]
    [[and risks.risk_tier = {{risk_tier}}]]
    [[and risks.segment = {{segment}}]]
    [[and risks.province = {{province}}]]
