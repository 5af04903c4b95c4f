-- A view: a run that a gate stopped publishes nothing, and its rows are those that are looked for.
{{ config(materialized='view') }}

with

checks as (
    select * from {{ source('ml', 'quality_check') }}
),

newest_run as (
    -- Run ids sort by time.
    select max(run_id) as run_id from checks
),

final as (
    select
        checks.run_id,
        checks.as_of_date,
        coalesce(checks.run_id = newest_run.run_id, false) as is_newest_run,
        ---------- what was looked at
        checks.layer,
        checks.table_name,
        checks.column_name,
        checks.check_name,
        checks.severity,
        ---------- what was seen
        checks.observed_value,
        checks.limit_value,
        checks.failed_count,
        checks.row_count,
        checks.detail,
        ---------- verdict
        checks.is_passed,
        checks.is_accepted,
        checks.severity = 'stop' and not checks.is_passed and not checks.is_accepted as is_stopping
    from checks
    cross join newest_run
)

select * from final
