select
    term,
    definition
from mart_definition
where
    term_key in (
        'churn_probability',
        'flagged',
        'expected_loss',
        'net_value'
    )
order by definition_number
