select
    status,
    case
        when status = 'failed'
            then
                'Failed in ' || coalesce(failed_step, 'an unknown step') || ': '
                || coalesce(substring(error_message, 1, 110), 'no message')
                || case when length(error_message) > 110 then ' …' else '' end
        when status = 'running' then 'Still running, since it started'
        else 'All steps are done'
    end as detail,
    next_step as message,
    mode,
    run_id
from mart_pipeline_run
where
    run_id = (
        select max(newest.run_id)
        from mart_pipeline_run as newest
    )
