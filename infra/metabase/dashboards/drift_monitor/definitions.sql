select
    term,
    definition
from mart_definition
where
    term_key in (
        'drift'
    )
order by definition_number
