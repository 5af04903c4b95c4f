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
) as checks
order by position
