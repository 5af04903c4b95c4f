select
    as_of_date,
    mean_churn_probability,
    previous_mean_churn_probability
from mart_run_trend
where is_current
