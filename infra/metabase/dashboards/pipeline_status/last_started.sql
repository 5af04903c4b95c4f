select started_at
from mart_pipeline_run
where
    run_id = (
        select max(newest.run_id)
        from mart_pipeline_run as newest
    )
