select
    term,
    definition
from mart_definition
where term_key in (:terms)
order by definition_number
