select
    term,
    definition
from mart_definition
where
    term_key in (
        'churn_probability',
        'risk_tier',
        'at_risk',
        'flagged',
        'expected_loss'
    )
order by definition_number
