select
    case when measure in ('true_positive_count', 'false_negative_count') then 'Left' else 'Stayed' end as outcome,
    cast(max(case when measure in ('true_positive_count', 'false_positive_count') then measure_value end) as bigint)
        as flagged_count,
    cast(max(case when measure in ('false_negative_count', 'true_negative_count') then measure_value end) as bigint)
        as quiet_count
from mart_model_performance
where
    measure_kind = 'metric'
    and slice_dimension = 'overall'
    and feature_set = 'champion'
    and measure in ('true_positive_count', 'false_positive_count', 'false_negative_count', 'true_negative_count')
group by case when measure in ('true_positive_count', 'false_negative_count') then 'Left' else 'Stayed' end
order by case when measure in ('true_positive_count', 'false_negative_count') then 'Left' else 'Stayed' end
