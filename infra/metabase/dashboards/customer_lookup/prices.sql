select
    month_start,
    elec_price_eur_kwh,
    elec_var_cost_eur_kwh
from mart_customer_month
where
    customer_id = coalesce(
        [[{{customer_id}},]]
        null,
        (
            select top.customer_id
            from mart_customer_profile as top
            where top.loss_rank = 1
        )
    )
order by month_start
