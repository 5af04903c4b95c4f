select
    group_name,
    churn_share
from mart_observed_churn
where is_newest and dimension = 'renewal'
order by group_number
