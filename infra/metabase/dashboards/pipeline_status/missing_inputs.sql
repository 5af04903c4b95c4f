select
    input_name,
    affected_kind,
    affected_name,
    tier
from mart_missing_input
order by input_name, affected_kind, affected_name
limit 500
