select
    step,
    seconds
from mart_pipeline_step
where
    run_id = (
        select max(newest.run_id)
        from mart_pipeline_step as newest
    )
order by step_number
