select
    as_of_date,
    training_as_of_date,
    run_id,
    model_version,
    customer_count
from mart_overview
