select
    as_of_date,
    customer_count,
    model_version,
    run_id
from mart_overview
