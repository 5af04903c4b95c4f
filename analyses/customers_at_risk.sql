-- How many customers are at risk, and what would their leaving cost?
select
    risk_tier,
    count(*) as customer_count,
    avg(churn_probability) as mean_churn_probability,
    sum(expected_monthly_loss_eur) as expected_monthly_loss_eur
from {{ ref('mart_customer_risk') }}
group by risk_tier
order by mean_churn_probability desc
