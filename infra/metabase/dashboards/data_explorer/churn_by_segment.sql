select
    group_name,
    churn_share
from mart_observed_churn
where is_newest and dimension = 'segment'
order by churn_share desc, group_name
