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
        prices.*,
        customers.as_of_date,
        customers.segment,
        as_of_dates.window_end_date
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

national_medians as (
    select
        {% for price in price_columns() %}
        {{ median(price) }} as {{ price }},
        {% endfor %}
        max(max_price_date) as max_price_date,
        as_of_date,
        month_start
    from windowed
    group by as_of_date, month_start
),

-- The next known price counts only if it lies inside the window.
sourced as (
    select
        {% for price in price_columns() %}
        case
            when windowed.{{ price }} is not null then 'observed'
            when windowed.last_{{ price }} is not null then 'last_known'
            when windowed.next_{{ price }}_date < windowed.window_end_date then 'next_known'
            when segment_medians.{{ price }} is not null then 'segment_median'
            when national_medians.{{ price }} is not null then 'national_median'
            else 'missing'
        end as {{ price }}_source,
        segment_medians.{{ price }} as segment_{{ price }},
        national_medians.{{ price }} as national_{{ price }},
        {% endfor %}
        segment_medians.max_price_date as max_segment_price_date,
        national_medians.max_price_date as max_national_price_date,
        windowed.*
    from windowed
    inner join segment_medians
        on
            windowed.as_of_date = segment_medians.as_of_date
            and windowed.segment = segment_medians.segment
            and windowed.month_start = segment_medians.month_start
    inner join national_medians
        on
            windowed.as_of_date = national_medians.as_of_date
            and windowed.month_start = national_medians.month_start
),

final as (
    select
        customer_id,
        month_start,
        as_of_date,
        ---------- measures
        {% for price in price_columns() %}
        case {{ price }}_source
            when 'observed' then {{ price }}
            when 'last_known' then last_{{ price }}
            when 'next_known' then next_{{ price }}
            when 'segment_median' then segment_{{ price }}
            when 'national_median' then national_{{ price }}
        end as {{ price }},
        {% endfor %}
        ---------- provenance
        {% for price in price_columns() %}
        {{ price }}_source,
        {% endfor %}
        ---------- newest source dates
        {% set dates = ['max_price_date'] %}
        {% for price in price_columns() %}
            {%- do dates.append('case ' ~ price ~ "_source when 'next_known' then next_" ~ price ~ "_date"
                ~ " when 'segment_median' then max_segment_price_date"
                ~ " when 'national_median' then max_national_price_date end") -%}
        {% endfor %}
        {{ newest_of(dates) }} as max_price_date,
        ---------- counts
        pricing_date_count
    from sourced
)

select * from final
