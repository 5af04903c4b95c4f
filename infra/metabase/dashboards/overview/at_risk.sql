select
    as_of_date,
    at_risk_count,
    previous_at_risk_count
from mart_run_trend
where is_current
