select
    recommendations.customer_id,
    recommendations.risk_tier,
    recommendations.churn_probability,
    recommendations.current_campaign as campaign,
    recommendations.current_arm_name as arm,
    risks.segment,
    risks.province
from mart_recommendation as recommendations
inner join mart_customer_risk as risks
    on recommendations.customer_id = risks.customer_id
where
    recommendations.current_campaign is not null
    [[and recommendations.action_name = {{action}}]]
    [[and risks.risk_tier = {{risk_tier}}]]
    [[and risks.segment = {{segment}}]]
    [[and risks.province = {{province}}]]
order by recommendations.churn_probability desc, recommendations.customer_id
limit 2000
