-- A view, like the runs that it reads: a failed run and its failed checks show without anything being published.
{{ config(materialized='view') }}

with

performance as (
    select * from {{ ref('mart_model_performance') }}
    where measure_kind = 'gate'
),

audit as (
    select * from {{ ref('mart_leakage_audit') }}
),

drift as (
    select * from {{ ref('mart_drift') }}
    where is_newest_run
),

outcomes as (
    select
        *,
        as_of_date = max(as_of_date) over () as is_newest_scored
    from {{ ref('mart_score_outcome') }}
),

checks as (
    select * from {{ ref('mart_data_quality') }}
    where is_newest_run
),

runs as (
    select * from {{ ref('mart_pipeline_run') }}
),

-- By its id: ids sort by time and none is given twice, while two runs may begin within one second.
newest_run as (
    select * from runs
    where run_id = (select max(newest.run_id) from runs as newest)
),

findings as (
    select
        1 as area_number,
        'Model: gate' as area,
        count(case when not is_passed then 1 end) as alarm_count,
        0 as watch_count,
        0 as unmeasured_count,
        cast(count(case when is_passed then 1 end) as varchar) || ' of ' || cast(count(*) as varchar)
        || ' checks passed' as detail
    from performance
    union all
    select
        2 as area_number,
        'Model: calibration' as area,
        count(case when not is_passed then 1 end) as alarm_count,
        0 as watch_count,
        0 as unmeasured_count,
        'Calibration error ' || cast(cast(max(measure_value) as decimal(9, 3)) as varchar) || ', at most '
        || cast(cast(max(threshold) as decimal(9, 3)) as varchar) || ' allowed' as detail
    from performance
    where measure = 'ece'
    union all
    select
        3 as area_number,
        'Model: leakage audit' as area,
        count(case when is_alarm and not is_accepted then 1 end) as alarm_count,
        count(case when is_alarm then 1 end) as watch_count,
        0 as unmeasured_count,
        cast(count(case when is_alarm then 1 end) as varchar) || ' alarms, '
        || cast(count(case when is_accepted then 1 end) as varchar) || ' accepted by name' as detail
    from audit
    union all
    select
        4 as area_number,
        'Model: drift' as area,
        count(case when is_alarm then 1 end) as alarm_count,
        count(case when verdict = 'watch' then 1 end) as watch_count,
        case when count(case when verdict <> 'not measured' then 1 end) = 0 then 1 else 0 end as unmeasured_count,
        case
            when count(case when verdict <> 'not measured' then 1 end) = 0
                then 'Not measured: the model was trained on this date'
            else
                cast(count(case when is_alarm then 1 end) as varchar) || ' alarms, '
                || cast(count(case when verdict = 'watch' then 1 end) as varchar) || ' to watch, of '
                || cast(count(*) as varchar) || ' compared'
        end as detail
    from drift
    union all
    -- A model that has been replaced since is no alarm.
    select
        5 as area_number,
        'Model: published scores' as area,
        count(case when is_newest and is_off and is_current_model then 1 end) as alarm_count,
        count(case when is_newest and is_off then 1 end) as watch_count,
        case when count(case when is_newest then 1 end) = 0 then 1 else 0 end as unmeasured_count,
        coalesce(
            max(case when is_newest and dimension = 'all customers' then finding end),
            max(case when is_newest_scored and dimension = 'all customers' then finding end),
            'No published score'
        )
        || case
            when count(case when is_newest and is_off then 1 end) > 0
                then '; ' || cast(count(case when is_newest and is_off then 1 end) as varchar) || ' groups off'
            else ''
        end as detail
    from outcomes
    union all
    select
        6 as area_number,
        'Data: quality gates' as area,
        count(case when is_stopping then 1 end) as alarm_count,
        count(case when not is_passed then 1 end) as watch_count,
        0 as unmeasured_count,
        cast(count(case when is_passed then 1 end) as varchar) || ' of ' || cast(count(*) as varchar)
        || ' checks passed' as detail
    from checks
    union all
    select
        7 as area_number,
        'Pipeline: last run' as area,
        case when status = 'failed' then 1 else 0 end as alarm_count,
        case when status = 'running' then 1 else 0 end as watch_count,
        0 as unmeasured_count,
        case
            when status = 'failed' then 'Failed in ' || coalesce(failed_step, 'an unknown step')
            else
                upper(substring(status, 1, 1)) || substring(status, 2) || ', as of '
                || coalesce(cast(as_of_date as varchar), 'an unknown date')
        end as detail
    from newest_run
),

final as (
    select
        cast(area_number as integer) as area_number,
        area,
        case
            when alarm_count > 0 then 'alarm'
            when unmeasured_count > 0 then 'not measured'
            when watch_count > 0 then 'watch'
            else 'good'
        end as verdict,
        detail
    from findings
)

select * from final
