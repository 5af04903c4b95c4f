with

customers as (
    select * from {{ ref('silver_customer') }}
),

customer_months as (
    select * from {{ ref('bronze_customer_month') }}
),

price_months as (
    select * from {{ ref('bronze_price_month') }}
),

observation_window as (
    {{ observation_window() }}
),

-- Months with a price from before the window are kept here: they hold the last known one.
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
        coalesce(price_months.pricing_date_count, 0) as pricing_date_count,
        customers.segment,
        observation_window.window_start_date
    from months
    inner join customers
        on months.customer_id = customers.customer_id
    cross join observation_window
    left join price_months
        on
            months.customer_id = price_months.customer_id
            and months.month_start = price_months.month_start
    where months.month_start < observation_window.window_end_date
),

-- Everything after the window is gone by now, so that the next known price lies inside it.
neighbours as (
    select
        {% for price in price_columns() %}
        {{ last_known(price, 'partition by customer_id order by month_start'
            ~ ' rows between unbounded preceding and 1 preceding') }} as last_{{ price }},
        {{ first_known(price, 'partition by customer_id order by month_start'
            ~ ' rows between 1 following and unbounded following') }} as next_{{ price }},
        {% endfor %}
        *
    from observed
),

segment_medians as (
    select
        {% for price in price_columns() %}
        {{ median(price) }} as {{ price }},
        {% endfor %}
        segment,
        month_start
    from observed
    group by segment, month_start
),

national_medians as (
    select
        {% for price in price_columns() %}
        {{ median(price) }} as {{ price }},
        {% endfor %}
        month_start
    from observed
    group by month_start
),

final as (
    select
        neighbours.customer_id,
        neighbours.month_start,
        ---------- measures
        {% for price in price_columns() %}
        coalesce(
            neighbours.{{ price }},
            neighbours.last_{{ price }},
            neighbours.next_{{ price }},
            segment_medians.{{ price }},
            national_medians.{{ price }}
        ) as {{ price }},
        {% endfor %}
        ---------- provenance
        {% for price in price_columns() %}
        case
            when neighbours.{{ price }} is not null then 'observed'
            when neighbours.last_{{ price }} is not null then 'last_known'
            when neighbours.next_{{ price }} is not null then 'next_known'
            when segment_medians.{{ price }} is not null then 'segment_median'
            when national_medians.{{ price }} is not null then 'national_median'
            else 'missing'
        end as {{ price }}_source,
        {% endfor %}
        ---------- counts
        neighbours.pricing_date_count
    from neighbours
    inner join segment_medians
        on
            neighbours.segment = segment_medians.segment
            and neighbours.month_start = segment_medians.month_start
    inner join national_medians
        on neighbours.month_start = national_medians.month_start
    where neighbours.month_start >= neighbours.window_start_date
)

select * from final
