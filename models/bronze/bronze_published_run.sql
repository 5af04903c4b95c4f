-- A view on what every run wrote of itself: it holds for whatever database marts are built in.
{{ config(materialized='view') }}

with

runs as (
    select * from {{ source('ml', 'pipeline_run') }}
    where status = 'succeeded'
),

scored as (
    select
        run_id,
        max(as_of_date) as as_of_date,
        max(model_version) as model_version
    from {{ source('ml', 'customer_score') }}
    group by run_id
),

-- Run ids sort by time. A run that scored and came to its end is published; the newest is shown.
published as (
    select
        runs.run_id,
        scored.as_of_date,
        scored.model_version,
        runs.sentiment_backend,
        max(runs.run_id) over () as newest_run_id
    from runs
    inner join scored
        on runs.run_id = scored.run_id
),

final as (
    select
        run_id,
        ---------- attributes
        model_version,
        sentiment_backend,
        ---------- dates
        as_of_date
    from published
    where run_id = newest_run_id
)

select * from final
