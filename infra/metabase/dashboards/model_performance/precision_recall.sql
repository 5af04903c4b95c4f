select
    x,
    feature_set,
    measure_value
from mart_model_performance
where measure_kind = 'curve' and measure = 'precision_recall'
order by feature_set, point
