select started_at
from mart_pipeline_run
where
    started_at = (
        select max(newest.started_at)
        from mart_pipeline_run as newest
    )
