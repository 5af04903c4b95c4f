-- The variables say which dates: `as_of_date` the one that customers are scored and shown as of, `as_of_dates`
-- more of them, or `all` month ends that twelve landed months end with.
{% set more = var('as_of_dates', none) or [] %}
with

landed as (
    select
        min(month_start) as first_month_start,
        max(month_end_date) as newest_month_end_date
    from {{ ref('bronze_hour') }}
),

dates as (
    select
        {% if var('as_of_date', none) %}
        cast('{{ var("as_of_date") }}' as date) as as_of_date,
        {% else %}
        landed.newest_month_end_date as as_of_date,
        {% endif %}
        true as is_current
    from landed
    {% if more == 'all' %}
    union all
    select
        hours.month_end_date as as_of_date,
        false as is_current
    from {{ ref('bronze_hour') }} as hours
    cross join landed
    where {{ add_months(-12, add_days(1, 'hours.month_end_date')) }} >= landed.first_month_start
    {% else %}
    {% for date in more %}
    union all
    select
        cast('{{ date }}' as date) as as_of_date,
        false as is_current
    {% endfor %}
    {% endif %}
),

distinct_dates as (
    select
        as_of_date,
        cast(date_trunc('month', {{ add_days(1, 'as_of_date') }}) as date) as window_end_date,
        max(case when is_current then 1 else 0 end) = 1 as is_current
    from dates
    group by as_of_date
),

-- Consumption is known by the month: one that is still running on the as-of date holds readings of later days.
final as (
    select
        as_of_date,
        {{ add_months(-12, 'window_end_date') }} as window_start_date,
        window_end_date,
        is_current
    from distinct_dates
)

select * from final
