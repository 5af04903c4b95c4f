select
    group_name,
    churn_share
from mart_observed_churn
where is_newest and dimension = 'tenure'
order by group_number
