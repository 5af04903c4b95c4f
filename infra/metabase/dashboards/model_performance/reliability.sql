select
    x,
    measure_value,
    ci_low,
    ci_high,
    x as perfect
from mart_model_performance
where measure_kind = 'curve' and measure = 'reliability' and feature_set = 'champion'
order by point
