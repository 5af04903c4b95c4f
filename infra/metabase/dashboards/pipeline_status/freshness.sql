select
    as_of_date,
    run_id,
    mode,
    ended_at,
    row_count,
    model_version,
    batch_id,
    git_sha,
    started_by
from mart_pipeline_run
where is_published
