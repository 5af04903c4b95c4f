-- Which groups of customers have in fact left, and how sure is that?
select
    dimension,
    group_name,
    customer_count,
    churner_count,
    churn_share,
    churn_share_low,
    churn_share_high
from {{ ref('mart_observed_churn') }}
where is_newest
order by dimension, group_number
