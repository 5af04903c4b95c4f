with

prices as (
    select
        *,
        cast(date_trunc('month', pricing_date) as date) as month_start
    from {{ source('raw', 'price_history') }}
    where customer_id is not null and pricing_date is not null
),

-- Oldest first; of rows of one date the dearest last. Every column is in the order, so that it does not depend on
-- that of the file.
ranked as (
    select
        *,
        row_number() over (
            partition by customer_id, month_start
            order by pricing_date asc, {{ price_columns() | join(' asc nulls first, ') }} asc nulls first
        ) as row_rank
    from prices
),

-- Each price is the last one known within the month: a row that leaves it out takes nothing back. A variable
-- price of zero is a missing one; a fee or a cost of zero is one that is not charged.
final as (
    select
        customer_id,
        month_start,
        ---------- measures
        {% for price in price_columns() %}
        {% set known = "nullif(" ~ price ~ ", 0)" if 'variable_price' in price else price %}
        max_by({{ known }}, row_rank) filter (where {{ known }} is not null) as {{ price }},
        {% endfor %}
        ---------- dates
        max(pricing_date) as max_price_date,
        ---------- counts
        count(distinct pricing_date) as pricing_date_count,
        count(*) - count(distinct pricing_date) as duplicate_count
    from ranked
    group by customer_id, month_start
)

select * from final
