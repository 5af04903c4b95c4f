select
    segment,
    risk_tier,
    sum(expected_monthly_loss_eur) as expected_monthly_loss_eur
from mart_customer_risk
where is_at_risk
group by segment, risk_tier
order by case segment when 'Residential' then 1 when 'SME' then 2 else 3 end, min(tier_rank)
