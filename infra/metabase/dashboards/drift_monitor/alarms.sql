select count(case when is_alarm then 1 end) as subject_count
from mart_drift
where is_newest_run
