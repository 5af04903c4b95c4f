select
    point as decile,
    feature_set,
    max(measure_value) as measure_value
from mart_model_performance
where measure_kind = 'curve' and measure = 'decile_recall'
group by point, feature_set
order by feature_set, point
