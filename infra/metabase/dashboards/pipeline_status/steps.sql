select
    step,
    sum(seconds) as seconds
from mart_pipeline_step
where
    run_id = (
        select max(newest.run_id)
        from mart_pipeline_step as newest
    )
group by step
order by min(step_number)
