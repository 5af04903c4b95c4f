select
    case gate.measure
        when 'ece' then 'calibration error'
        else replace(lower(replace(gate.measure, '_', ' ')), 'pr auc', 'PR-AUC')
    end as measure,
    metrics.measure_value as estimate,
    gate.measure_value,
    gate.threshold,
    case when gate.is_passed then 'good' else 'alarm' end as verdict
from mart_model_performance as gate
left join mart_model_performance as metrics
    on
        gate.measure = metrics.measure
        and metrics.measure_kind = 'metric'
        and metrics.slice_dimension = 'overall'
        and metrics.feature_set = 'champion'
where gate.measure_kind = 'gate'
order by gate.measure
