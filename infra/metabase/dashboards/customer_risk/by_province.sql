select
    province,
    sum(expected_monthly_loss_eur) as expected_monthly_loss_eur
from mart_customer_risk
where
    true
    [[and risk_tier = {{risk_tier}}]]
    [[and segment = {{segment}}]]
    [[and province = {{province}}]]
group by province
order by expected_monthly_loss_eur desc nulls last, province
limit 10
