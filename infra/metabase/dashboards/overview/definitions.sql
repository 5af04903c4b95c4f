select
    term,
    definition
from mart_definition
where
    term_key in (
        'churn_probability',
        'risk_tier',
        'at_risk',
        'expected_loss',
        'offer_cost',
        'net_value',
        'drift'
    )
order by definition_number
