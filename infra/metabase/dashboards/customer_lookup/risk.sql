select churn_probability
from mart_customer_risk
where
    customer_id = coalesce(
        [[{{customer_id}},]]
        null,
        (
            select customer_id
            from mart_customer_risk
            order by expected_monthly_loss_eur desc, customer_id
            limit 1
        )
    )
