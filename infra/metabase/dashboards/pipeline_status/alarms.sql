select
    health.area,
    health.detail,
    case when health.area = 'Pipeline: last run' then runs.next_step end as next_step,
    runs.run_id
from mart_health as health
cross join mart_pipeline_run as runs
where
    health.verdict = 'alarm'
    and runs.run_id = (
        select max(newest.run_id)
        from mart_pipeline_run as newest
    )
order by health.area_number
