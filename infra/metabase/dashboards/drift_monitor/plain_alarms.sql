select
    case
        when count(case when verdict <> 'not measured' then 1 end) > 0
            then count(case when is_alarm_plain then 1 end)
    end as subject_count
from mart_drift
where is_newest_run
