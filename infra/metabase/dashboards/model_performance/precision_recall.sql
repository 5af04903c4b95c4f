select
    x,
    feature_set,
    max(measure_value) as measure_value
from mart_model_performance
where measure_kind = 'curve' and measure = 'precision_recall'
group by x, feature_set
order by feature_set, x
