select count(case when status = 'succeeded' then 1 end) as run_count
from mart_pipeline_run
