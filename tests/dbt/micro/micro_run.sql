-- Every run shows, one of them as published.
with

expected (run_id, run_status, is_published) as (
    values
    ('20250101T060000-aaaaaa', 'succeeded', false),
    ('20250201T060000-bbbbbb', 'succeeded', true),
    ('20250202T060000-cccccc', 'failed', false),
    ('20250203T060000-dddddd', 'succeeded', false),
    ('20250204T060000-eeeeee', 'running', false)
),

actual as (
    select
        run_id,
        status as run_status,
        is_published
    from {{ ref('mart_pipeline_run') }}
)

{{ rows_that_differ(['run_id'], ['run_status', 'is_published']) }}
