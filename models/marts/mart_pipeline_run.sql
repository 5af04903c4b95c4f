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
        case
            when runs.status = 'succeeded' then 'None'
            when runs.status = 'running' then 'Wait for it; spanishgas status shows who holds the lease'
            when runs.exit_code = 3
                then 'Fix the raw files as the message says, then run again; what is published stays'
            when runs.exit_code = 4
                then 'See which limits the candidate breaks (spanishgas evaluate); the champion and its scores stay'
            when runs.exit_code = 5
                then 'Look at the failed checks below, fix the data, then run again; what is published stays'
            when runs.exit_code = 6 then 'Wait for the run that holds the lease, then run again'
            else 'Continue with spanishgas run --resume; if it fails again, see the runbook'
        end as next_step,
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
