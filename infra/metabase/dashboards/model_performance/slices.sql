select
    lower(replace(replace(slice_dimension, 'is_', ''), '_', ' ')) as slice_dimension,
    slice_value,
    max(case when measure = 'pr_auc' then measure_value end) as pr_auc,
    max(case when measure = 'recall' then measure_value end) as recall,
    max(customer_count) as customer_count
from mart_model_performance
where measure_kind = 'metric' and slice_dimension <> 'overall' and feature_set = 'champion'
group by slice_dimension, slice_value
order by slice_dimension, customer_count desc
