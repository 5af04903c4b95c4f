select
    term,
    definition
from mart_definition
where
    term_key in (
        'precision',
        'recall',
        'pr_auc',
        'roc_auc',
        'calibration_error',
        'without_text',
        'interval',
        'gate',
        'outcome_ratio',
        'calibration_slope'
    )
order by definition_number
