select
    steps.run_id,
    steps.step,
    sum(steps.seconds) as seconds
from mart_pipeline_step as steps
inner join (
    select
        run_id,
        row_number() over (order by run_id desc) as recency_rank
    from mart_pipeline_run
) as runs
    on steps.run_id = runs.run_id
where runs.recency_rank <= 20
group by steps.run_id, steps.step
order by steps.run_id, min(steps.step_number)
