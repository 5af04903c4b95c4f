select
    as_of_date,
    customer_count,
    previous_customer_count
from mart_run_trend
where is_current
