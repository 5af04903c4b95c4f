-- Apart from the prices of customers, since there are few of them and what they are made of is much.
with

customers as (
    select * from {{ ref('silver_customer') }}
),

prices as (
    select * from {{ ref('silver_price_neighbour') }}
),

as_of_dates as (
    select * from {{ ref('silver_as_of_date') }}
),

windowed as (
    select
        {% for price in price_columns() %}
        prices.{{ price }},
        {% endfor %}
        prices.max_price_date,
        prices.month_start,
        customers.as_of_date,
        customers.segment
    from as_of_dates
    inner join prices
        on
            as_of_dates.window_start_date <= prices.month_start
            and as_of_dates.window_end_date > prices.month_start
    inner join customers
        on
            prices.customer_id = customers.customer_id
            and as_of_dates.as_of_date = customers.as_of_date
),

segment_medians as (
    select
        {% for price in price_columns() %}
        {{ median(price) }} as {{ price }},
        {% endfor %}
        max(max_price_date) as max_price_date,
        as_of_date,
        segment,
        month_start
    from windowed
    group by as_of_date, segment, month_start
),

-- That of the nation stands in where a segment knows no price: elsewhere nobody reads it.
lacking as (
    select distinct
        as_of_date,
        month_start
    from segment_medians
    where {{ price_columns() | join(' is null or ') }} is null
),

national_medians as (
    select
        {% for price in price_columns() %}
        {{ median('windowed.' ~ price) }} as {{ price }},
        {% endfor %}
        max(windowed.max_price_date) as max_price_date,
        windowed.as_of_date,
        windowed.month_start
    from windowed
    inner join lacking
        on
            windowed.as_of_date = lacking.as_of_date
            and windowed.month_start = lacking.month_start
    group by windowed.as_of_date, windowed.month_start
),

final as (
    select
        segment_medians.segment,
        segment_medians.month_start,
        segment_medians.as_of_date,
        ---------- measures
        {% for price in price_columns() %}
        segment_medians.{{ price }} as segment_{{ price }},
        national_medians.{{ price }} as national_{{ price }},
        {% endfor %}
        ---------- newest source dates
        segment_medians.max_price_date as max_segment_price_date,
        national_medians.max_price_date as max_national_price_date
    from segment_medians
    left join national_medians
        on
            segment_medians.as_of_date = national_medians.as_of_date
            and segment_medians.month_start = national_medians.month_start
)

select * from final
