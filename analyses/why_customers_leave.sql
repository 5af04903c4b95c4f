-- Which reasons stand behind the risk of those who are at risk, and can anything be done about them?
select
    reasons.reason_code,
    reasons.is_actionable,
    count(distinct reasons.customer_id) as customer_count,
    sum(risks.expected_monthly_loss_eur) as expected_monthly_loss_eur
from {{ ref('mart_customer_reason') }} as reasons
inner join {{ ref('mart_customer_risk') }} as risks
    on reasons.customer_id = risks.customer_id
where risks.risk_tier <> 'Low'
group by reasons.reason_code, reasons.is_actionable
order by customer_count desc, reasons.reason_code asc
