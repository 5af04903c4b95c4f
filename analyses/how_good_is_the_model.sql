-- How good is the model on customers that it has not seen, with and without interaction texts?
select
    model_version,
    measure,
    feature_set,
    measure_value,
    ci_low,
    ci_high,
    customer_count,
    churner_count
from {{ ref('mart_model_performance') }}
where measure_kind = 'metric' and slice_dimension = 'overall'
order by measure, feature_set
