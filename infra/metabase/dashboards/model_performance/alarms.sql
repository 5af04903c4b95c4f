select
    alarm,
    observed_value,
    limit_value,
    customer_count,
    case when is_accepted then 'accepted' else 'alarm' end as verdict,
    accepted_by
from mart_leakage_audit
where is_alarm
order by alarm
