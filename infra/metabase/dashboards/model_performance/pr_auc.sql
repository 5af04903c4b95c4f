select
    measure_value,
    ci_low,
    ci_high
from mart_model_performance
where
    measure_kind = 'metric'
    and slice_dimension = 'overall'
    and feature_set in ('champion', 'out_of_time')
    and measure = 'pr_auc'
order by case feature_set when 'out_of_time' then 1 else 2 end
limit 1
