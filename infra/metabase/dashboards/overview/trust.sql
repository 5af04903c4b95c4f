select
    case
        when count(case when verdict = 'alarm' then 1 end) > 0 then 'No'
        when count(case when verdict = 'watch' then 1 end) > 0 then 'With care'
        else 'Yes'
    end as answer
from mart_health
