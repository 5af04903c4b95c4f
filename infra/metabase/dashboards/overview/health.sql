select
    area,
    verdict,
    detail
from (
    select
        1 as position,
        'Model: gate' as area,
        case when gate_passed_count = gate_check_count then 'good' else 'alarm' end as verdict,
        cast(gate_passed_count as varchar) || ' of ' || cast(gate_check_count as varchar) || ' checks passed' as detail
    from mart_overview
    union all
    select
        2 as position,
        'Model: calibration' as area,
        case when is_passed then 'good' else 'alarm' end as verdict,
        detail
    from mart_model_performance
    where measure_kind = 'gate' and measure = 'ece'
    union all
    select
        3 as position,
        'Model: leakage audit' as area,
        case
            when count(case when is_alarm and not is_accepted then 1 end) > 0 then 'alarm'
            when count(case when is_alarm then 1 end) > 0 then 'watch'
            else 'good'
        end as verdict,
        cast(count(case when is_alarm then 1 end) as varchar) || ' alarms, '
        || cast(count(case when is_accepted then 1 end) as varchar) || ' accepted by name' as detail
    from mart_leakage_audit
    union all
    select
        4 as position,
        'Model: drift' as area,
        case
            when count(case when is_alarm then 1 end) > 0 then 'alarm'
            when count(case when verdict = 'watch' then 1 end) > 0 then 'watch'
            else 'good'
        end as verdict,
        cast(count(case when is_alarm then 1 end) as varchar) || ' alarms, '
        || cast(count(case when verdict = 'watch' then 1 end) as varchar) || ' to watch, of '
        || cast(count(*) as varchar) || ' compared' as detail
    from mart_drift
    where is_newest_run
    union all
    select
        5 as position,
        'Data: quality gates' as area,
        case
            when count(case when is_stopping then 1 end) > 0 then 'alarm'
            when count(case when not is_passed then 1 end) > 0 then 'watch'
            else 'good'
        end as verdict,
        cast(count(case when is_passed then 1 end) as varchar) || ' of '
        || cast(count(*) as varchar) || ' checks passed' as detail
    from mart_data_quality
    where is_newest_run
    union all
    select
        6 as position,
        'Pipeline: last run' as area,
        case when status = 'succeeded' then 'good' when status = 'running' then 'watch' else 'alarm' end as verdict,
        case
            when status = 'failed' then 'failed in ' || coalesce(failed_step, 'an unknown step')
            else status || ', as of ' || coalesce(cast(as_of_date as varchar), 'an unknown date')
        end as detail
    from mart_pipeline_run
    where started_at = (
        select max(newest.started_at)
        from mart_pipeline_run as newest
    )
) as checks
order by position
