select
    case dimension when 'competition' then group_name || ' competition' else group_name end as group_name,
    churn_share
from mart_observed_churn
where is_newest and dimension in ('competition', 'fuel')
order by dimension, group_number
