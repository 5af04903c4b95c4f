select
    term,
    definition
from mart_definition
where
    term_key in (
        'at_risk',
        'offer_cost',
        'net_value',
        'control_group',
        'policy'
    )
order by definition_number
