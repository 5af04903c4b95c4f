-- Every customer of the as-of date is in the risk mart, and nobody else.
with

as_of as (
    select max(as_of_date) as as_of_date
    from {{ ref('mart_customer_risk') }}
)

select coalesce(customers.customer_id, risks.customer_id) as customer_id
from (
    select gold.customer_id
    from {{ ref('gold_master') }} as gold
    inner join as_of
        on gold.as_of_date = as_of.as_of_date
) as customers
full outer join {{ ref('mart_customer_risk') }} as risks
    on customers.customer_id = risks.customer_id
where customers.customer_id is null or risks.customer_id is null
