select
    layer,
    table_name,
    column_name,
    check_name,
    case when is_stopping then 'alarm' when is_accepted then 'accepted' else 'watch' end as verdict,
    observed_value,
    limit_value,
    detail
from mart_data_quality
where is_newest_run and not is_passed
order by
    is_stopping desc,
    check_name <> 'landing_note',
    layer,
    case when check_name = 'landing_note' then column_name else table_name end,
    column_name,
    check_name
limit 500
