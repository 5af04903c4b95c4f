select
    row_number() over (order by run_id) as run_number,
    alarm_count,
    plain_alarm_count
from (
    select
        run_id,
        count(case when is_alarm then 1 end) as alarm_count,
        count(case when is_alarm_plain then 1 end) as plain_alarm_count
    from mart_drift
    group by run_id
) as runs
order by run_id
