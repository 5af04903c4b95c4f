-- What do we earn a month, by segment?
select
    month_start,
    segment,
    count(*) as customer_count,
    sum(revenue_eur) as revenue_eur,
    sum(cost_eur) as cost_eur,
    sum(margin_eur) as margin_eur
from {{ ref('mart_customer_month') }}
group by month_start, segment
order by month_start, segment
