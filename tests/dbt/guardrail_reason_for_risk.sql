-- Whoever is at risk has at least one reason that can be told.
select
    customer_id,
    risk_tier
from {{ ref('mart_customer_risk') }}
where is_at_risk and coalesce(reason_1, '') = ''
