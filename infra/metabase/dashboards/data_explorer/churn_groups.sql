select
    as_of_date,
    dimension,
    group_name,
    customer_count,
    churner_count,
    churn_share,
    churn_share_low,
    churn_share_high
from mart_observed_churn
order by as_of_date desc, dimension, group_number
