-- A view on what every run wrote of itself: a run that failed shows without anything being published.
{{ config(materialized='view') }}

with

runs as (
    select * from {{ source('ml', 'pipeline_run') }}
),

published as (
    select run_id from {{ ref('mart_overview') }}
),

final as (
    select
        runs.run_id,
        ---------- attributes
        runs.mode,
        runs.target,
        runs.status,
        runs.failed_step,
        runs.error_message,
        runs.exit_code,
        runs.batch_id,
        runs.batch_sha256,
        runs.model_version,
        runs.git_sha,
        runs.dbt_manifest_sha256,
        runs.lock_sha256,
        runs.started_by,
        ---------- measures
        runs.seconds,
        runs.peak_memory_mb,
        runs.row_count,
        ---------- flags
        published.run_id is not null as is_published,
        ---------- dates
        runs.as_of_date,
        runs.started_at,
        runs.ended_at
    from runs
    left join published
        on runs.run_id = published.run_id
)

select * from final
