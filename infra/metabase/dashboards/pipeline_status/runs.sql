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
    case
        when is_published then 'now'
        when status = 'succeeded' and run_id in (select steps.run_id from mart_pipeline_step as steps where steps.step = 'publish')
            then 'earlier'
        else 'no'
    end as published,
    started_by
from mart_pipeline_run
where
    run_id is not null
    [[and status = {{status}}]]
order by run_id desc
limit 500
