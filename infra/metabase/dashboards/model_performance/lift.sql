select
    point as decile,
    max(measure_value) as measure_value,
    max(ci_low) as ci_low,
    max(ci_high) as ci_high
from mart_model_performance
where measure_kind = 'curve' and measure = 'decile_lift' and feature_set = 'champion'
group by point
order by point
