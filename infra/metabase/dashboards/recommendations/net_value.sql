-- Where no margin is known, nor is what offers could bring.
select
    case
        when count(*) = 0 or count(risks.expected_monthly_loss_eur) > 0
            then
                coalesce(
                    sum(case when recommendations.decision = 'offered' then recommendations.expected_net_value_eur end),
                    0
                )
    end as expected_net_value_eur
from mart_recommendation as recommendations
inner join mart_customer_risk as risks
    on recommendations.customer_id = risks.customer_id
where
    true
    [[and recommendations.action_name = {{action}}]]
    [[and risks.risk_tier = {{risk_tier}}]]
    [[and risks.segment = {{segment}}]]
    [[and risks.province = {{province}}]]
