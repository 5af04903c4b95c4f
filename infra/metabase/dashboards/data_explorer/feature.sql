select
    feature,
    tier,
    unit,
    null_count,
    distinct_count,
    mean_value,
    sd_value,
    minimum_value,
    maximum_value,
    reason_count
from mart_feature
where feature = {{feature}}
