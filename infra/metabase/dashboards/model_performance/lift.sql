select
    point as decile,
    measure_value,
    ci_low,
    ci_high
from mart_model_performance
where measure_kind = 'curve' and measure = 'decile_lift' and feature_set = 'champion'
order by point
