select
    case recommendations.decision
        when 'offered' then 'offer to make'
        when 'margin_unknown' then 'margin unknown'
        when 'margin_not_positive' then 'margin not positive'
        when 'value_unknown' then 'net value unknown'
        when 'value_negative' then 'net value negative'
        when 'no_reason' then 'no reason'
        when 'over_budget' then 'over the budget'
        when 'held_out' then 'control group'
        else recommendations.decision
    end as decision,
    count(*) as customer_count
from mart_recommendation as recommendations
inner join mart_customer_risk as risks
    on recommendations.customer_id = risks.customer_id
where
    recommendations.decision <> 'low_risk'
    [[and risks.risk_tier = {{risk_tier}}]]
    [[and risks.segment = {{segment}}]]
    [[and risks.province = {{province}}]]
group by
    case recommendations.decision
        when 'offered' then 'offer to make'
        when 'margin_unknown' then 'margin unknown'
        when 'margin_not_positive' then 'margin not positive'
        when 'value_unknown' then 'net value unknown'
        when 'value_negative' then 'net value negative'
        when 'no_reason' then 'no reason'
        when 'over_budget' then 'over the budget'
        when 'held_out' then 'control group'
        else recommendations.decision
    end
order by count(*) desc, decision
