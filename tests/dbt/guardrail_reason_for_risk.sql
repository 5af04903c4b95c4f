-- Whoever is above the lowest tier has at least one reason that can be told.
select
    customer_id,
    risk_tier
from {{ ref('mart_customer_risk') }}
where risk_tier <> 'Low' and coalesce(reason_1, '') = ''
