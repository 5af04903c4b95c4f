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
    case when is_published then 'yes' else 'no' end as published,
    started_by
from mart_pipeline_run
order by started_at desc
limit 500
