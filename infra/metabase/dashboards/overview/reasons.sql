select
    lower(replace(reason_1_code, '_', ' ')) as reason,
    count(*) as customer_count
from mart_customer_risk
where is_at_risk and reason_1_code is not null
group by lower(replace(reason_1_code, '_', ' '))
order by count(*) desc, reason
limit 8
