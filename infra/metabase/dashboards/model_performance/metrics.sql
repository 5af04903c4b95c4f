select
    case measure
        when 'pr_auc' then 'PR-AUC'
        when 'roc_auc' then 'ROC-AUC'
        when 'precision' then 'Precision'
        when 'recall' then 'Recall'
        when 'f1' then 'F1'
        when 'accuracy' then 'Accuracy'
        when 'brier' then 'Brier score'
        when 'ece' then 'Calibration error'
    end
    || case when feature_set like 'out_of_time%' then ', out of time' else '' end as measure,
    max(case when feature_set in ('champion', 'out_of_time') then measure_value end) as champion_value,
    max(case when feature_set in ('champion', 'out_of_time') then ci_low end) as champion_low,
    max(case when feature_set in ('champion', 'out_of_time') then ci_high end) as champion_high,
    max(case when feature_set like '%without_text' then measure_value end) as without_text_value,
    max(case when feature_set like '%without_text' then ci_low end) as without_text_low,
    max(case when feature_set like '%without_text' then ci_high end) as without_text_high
from mart_model_performance
where
    measure_kind = 'metric'
    and slice_dimension = 'overall'
    and measure in ('pr_auc', 'roc_auc', 'precision', 'recall', 'f1', 'accuracy', 'brier', 'ece')
    and (
        feature_set in ('champion', 'without_text')
        or measure in ('pr_auc', 'roc_auc', 'recall', 'ece')
    )
group by measure, case when feature_set like 'out_of_time%' then ', out of time' else '' end
order by
    min(case when feature_set like 'out_of_time%' then 0 else 1 end),
    min(
        case mart_model_performance.measure
            when 'pr_auc' then 1 when 'roc_auc' then 2 when 'precision' then 3 when 'recall' then 4
            when 'f1' then 5 when 'accuracy' then 6 when 'brier' then 7 else 8
        end
    )
