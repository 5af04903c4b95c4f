-- A view, as mart_pipeline_run is.
{{ config(materialized='view') }}

with

steps as (
    select * from {{ source('ml', 'pipeline_step') }}
),

final as (
    select
        run_id,
        step_number,
        ---------- attributes
        step,
        status,
        ---------- measures
        seconds,
        row_count,
        peak_memory_mb,
        ---------- dates
        started_at
    from steps
)

select * from final
