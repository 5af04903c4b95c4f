select
    risks.risk_tier,
    count(*) as customer_count,
    1.0 * count(*) / max(overview.customer_count) as customer_share,
    avg(risks.churn_probability) as mean_churn_probability,
    sum(risks.expected_monthly_loss_eur) as expected_monthly_loss_eur,
    count(case when recommendations.decision = 'offered' then 1 end) as offer_count,
    sum(recommendations.offer_budget_eur + recommendations.contact_cost_eur) as offer_cost_eur,
    case
        when count(risks.expected_monthly_loss_eur) > 0
            then sum(case when recommendations.decision = 'offered' then recommendations.expected_net_value_eur else 0 end)
    end as expected_net_value_eur
from mart_customer_risk as risks
inner join mart_recommendation as recommendations
    on risks.customer_id = recommendations.customer_id
inner join mart_overview as overview
    on risks.run_id = overview.run_id
group by risks.risk_tier
order by min(risks.tier_rank) desc
