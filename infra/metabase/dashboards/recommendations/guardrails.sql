select
    recommendations.decision_name as decision,
    count(*) as customer_count
from mart_recommendation as recommendations
inner join mart_customer_risk as risks
    on recommendations.customer_id = risks.customer_id
where
    recommendations.decision <> 'low_risk'
    [[and recommendations.action_name = {{action}}]]
    [[and risks.risk_tier = {{risk_tier}}]]
    [[and risks.segment = {{segment}}]]
    [[and risks.province = {{province}}]]
group by recommendations.decision_name
order by count(*) desc, decision
