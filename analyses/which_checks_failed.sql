-- Can the data be trusted: which checks failed in the newest run?
select
    layer,
    table_name,
    column_name,
    check_name,
    severity,
    observed_value,
    limit_value,
    failed_count,
    row_count,
    is_accepted,
    detail
from {{ ref('mart_data_quality') }}
where is_newest_run and not is_passed
order by is_stopping desc, layer asc, table_name asc, column_name asc, check_name asc
