{# Bronze models with the column that holds the newest date of a row, under the name that it keeps up to gold. #}
{% set dated = {
    'bronze_customer_attribute': 'max_attribute_date',
    'bronze_customer_contract': 'max_contract_date',
    'bronze_customer_month': 'max_reading_date',
    'bronze_price_month': 'max_price_date',
    'bronze_province_cost_month': 'max_cost_date',
    'bronze_interaction': 'max_contact_date',
} %}
with

as_of_dates as (
    select * from {{ ref('silver_as_of_date') }}
),

dates as (
    {% for model, column in dated.items() %}
    select
        '{{ model }}' as bronze_model,
        '{{ column }}' as date_column,
        {{ column }} as newest_date,
        count(*) as row_count
    from {{ ref(model) }}
    group by {{ column }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        dates.date_column,
        dates.bronze_model,
        as_of_dates.as_of_date,
        ---------- dates
        max(dates.newest_date) as latest_date,
        ---------- counts
        cast(sum(dates.row_count) as bigint) as row_count,
        cast(sum(case when dates.newest_date > as_of_dates.as_of_date then dates.row_count else 0 end) as bigint)
            as later_count
    from dates
    cross join as_of_dates
    group by dates.date_column, dates.bronze_model, as_of_dates.as_of_date
)

select * from final
