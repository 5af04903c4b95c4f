-- How fresh are the figures: which runs were there, as of which date, and what became of them?
select
    started_at,
    run_id,
    mode,
    status,
    failed_step,
    error_message,
    as_of_date,
    is_published,
    seconds,
    model_version
from {{ ref('mart_pipeline_run') }}
order by started_at desc
limit 100
