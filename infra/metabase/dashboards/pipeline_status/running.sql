select count(case when status = 'running' then 1 end) as run_count
from mart_pipeline_run
