select count(case when is_alarm_plain then 1 end) as subject_count
from mart_drift
where is_newest_run
