-- A view: silver_customer_month reads most of it once, and a table of every as-of date is much to write.
{{ config(materialized='view') }}

with

customers as (
    select * from {{ ref('silver_customer') }}
),

prices as (
    select * from {{ ref('silver_price_neighbour') }}
),

medians as (
    select * from {{ ref('silver_price_median') }}
),

as_of_dates as (
    select * from {{ ref('silver_as_of_date') }}
),

-- The next known price counts only if it lies inside the window.
sourced as (
    select
        {% for price in price_columns() %}
        case
            when prices.{{ price }} is not null then 'observed'
            when prices.last_{{ price }} is not null then 'last_known'
            when prices.next_{{ price }}_date < as_of_dates.window_end_date then 'next_known'
            when medians.segment_{{ price }} is not null then 'segment_median'
            when medians.national_{{ price }} is not null then 'national_median'
            else 'missing'
        end as {{ price }}_source,
        medians.segment_{{ price }},
        medians.national_{{ price }},
        {% endfor %}
        medians.max_segment_price_date,
        medians.max_national_price_date,
        customers.as_of_date,
        prices.*
    from as_of_dates
    inner join prices
        on
            as_of_dates.window_start_date <= prices.month_start
            and as_of_dates.window_end_date > prices.month_start
    inner join customers
        on
            prices.customer_id = customers.customer_id
            and as_of_dates.as_of_date = customers.as_of_date
    inner join medians
        on
            customers.as_of_date = medians.as_of_date
            and customers.segment = medians.segment
            and prices.month_start = medians.month_start
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
