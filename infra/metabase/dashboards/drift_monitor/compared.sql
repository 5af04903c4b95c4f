select distinct
    reference_as_of_date,
    reference_run_id,
    as_of_date,
    run_id,
    model_version
from mart_drift
where is_newest_run
