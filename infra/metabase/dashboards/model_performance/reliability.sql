select
    x,
    max(measure_value) as measure_value,
    max(ci_low) as ci_low,
    max(ci_high) as ci_high,
    x as perfect
from mart_model_performance
where measure_kind = 'curve' and measure = 'reliability' and feature_set = 'champion'
group by x
order by x
