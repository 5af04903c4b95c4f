select
    recommendations.risk_tier,
    recommendations.offer_name as offer,
    recommendations.timing,
    count(*) as offer_count,
    sum(recommendations.discount_eur_month) as discount_eur_month,
    sum(recommendations.offer_budget_eur + recommendations.contact_cost_eur) as offer_cost_eur,
    sum(recommendations.expected_net_value_eur) as expected_net_value_eur
from mart_recommendation as recommendations
inner join mart_customer_risk as risks
    on recommendations.customer_id = risks.customer_id
where
    recommendations.decision = 'offered'
    [[and recommendations.action_name = {{action}}]]
    [[and risks.risk_tier = {{risk_tier}}]]
    [[and risks.segment = {{segment}}]]
    [[and risks.province = {{province}}]]
group by recommendations.risk_tier, recommendations.offer_name, recommendations.timing
order by min(risks.tier_rank) desc
