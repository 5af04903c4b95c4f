select
    feature,
    tier,
    unit,
    customer_count,
    null_count,
    distinct_count,
    mean_value,
    sd_value,
    minimum_value,
    maximum_value,
    reason_count
from mart_feature
order by tier, feature
