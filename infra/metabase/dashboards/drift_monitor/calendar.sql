select count(case when verdict = 'calendar' then 1 end) as subject_count
from mart_drift
where is_newest_run
