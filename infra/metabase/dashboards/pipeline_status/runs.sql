select
    started_at,
    run_id,
    mode,
    status,
    failed_step,
    error_message,
    seconds,
    row_count,
    as_of_date,
    is_published,
    started_by
from mart_pipeline_run
order by started_at desc
limit 500
