select
    lower(replace(measure, '_', ' ')) as measure,
    measure_value,
    threshold,
    case when is_passed then 'good' else 'alarm' end as verdict
from mart_model_performance
where measure_kind = 'gate'
order by measure
