select
    case recommendations.decision
        when 'offered' then 'offer made'
        when 'margin_unknown' then 'margin not known'
        when 'margin_not_positive' then 'margin not positive'
        when 'value_unknown' then 'value not known'
        when 'value_negative' then 'would not pay'
        when 'no_reason' then 'no reason to tell'
        when 'over_budget' then 'over the budget'
        when 'held_out' then 'held out to measure'
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
        when 'offered' then 'offer made'
        when 'margin_unknown' then 'margin not known'
        when 'margin_not_positive' then 'margin not positive'
        when 'value_unknown' then 'value not known'
        when 'value_negative' then 'would not pay'
        when 'no_reason' then 'no reason to tell'
        when 'over_budget' then 'over the budget'
        when 'held_out' then 'held out to measure'
        else recommendations.decision
    end
order by count(*) desc, decision
