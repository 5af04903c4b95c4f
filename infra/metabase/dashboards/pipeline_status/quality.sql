select
    layer,
    case
        when is_passed then 'good'
        when is_stopping then 'alarm'
        when is_accepted then 'accepted'
        else 'watch'
    end as verdict,
    count(*) as check_count
from mart_data_quality
where is_newest_run
group by
    layer,
    case
        when is_passed then 'good'
        when is_stopping then 'alarm'
        when is_accepted then 'accepted'
        else 'watch'
    end
order by
    case layer when 'raw' then 1 when 'bronze' then 2 when 'silver' then 3 else 4 end,
    min(severity)
