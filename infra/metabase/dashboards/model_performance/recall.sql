select
    measure_value,
    ci_low,
    ci_high
from mart_model_performance
where
    measure_kind = 'metric'
    and slice_dimension = 'overall'
    and feature_set = 'champion'
    and measure = 'recall'
