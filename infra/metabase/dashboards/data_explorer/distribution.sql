select
    bin_label,
    customer_count,
    mean_churn_probability
from mart_feature_distribution
where feature = {{feature}}
order by bin_number
