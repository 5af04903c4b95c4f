-- Whatever the as-of date, the last known price of a month is the same, and so is the next known one, which an
-- as-of date may or may not know yet: so they are looked for once.
with

customer_months as (
    select * from {{ ref('bronze_customer_month') }}
),

price_months as (
    select * from {{ ref('bronze_price_month') }}
),

months as (
    select
        customer_id,
        month_start
    from price_months
    union distinct
    select
        customer_id,
        month_start
    from customer_months
),

observed as (
    select
        months.customer_id,
        months.month_start,
        {% for price in price_columns() %}
        price_months.{{ price }},
        {% endfor %}
        price_months.max_price_date,
        coalesce(price_months.pricing_date_count, 0) as pricing_date_count
    from months
    left join price_months
        on
            months.customer_id = price_months.customer_id
            and months.month_start = price_months.month_start
),

final as (
    select
        customer_id,
        month_start,
        ---------- measures
        {% for price in price_columns() %}
        {{ price }},
        {{ last_known(price, 'partition by customer_id order by month_start'
            ~ ' rows between unbounded preceding and 1 preceding') }} as last_{{ price }},
        {{ first_known(price, 'partition by customer_id order by month_start'
            ~ ' rows between 1 following and unbounded following') }} as next_{{ price }},
        {{ first_known('case when ' ~ price ~ ' is not null then max_price_date end',
            'partition by customer_id order by month_start'
            ~ ' rows between 1 following and unbounded following') }} as next_{{ price }}_date,
        {% endfor %}
        ---------- dates
        max(max_price_date) over (
            partition by customer_id order by month_start
            rows between unbounded preceding and current row
        ) as max_price_date,
        ---------- counts
        pricing_date_count
    from observed
)

select * from final
