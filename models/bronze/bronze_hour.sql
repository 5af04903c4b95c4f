with

landed_months as (
    select distinct cast(hourly.month || '-01' as date) as month_start
    from {{ source('raw', 'consumption_hourly') }} as hourly
),

day_numbers as (
    select numbers.day_number
    from (
        values
        {% for day in range(31) %}
        ({{ day }}){{ ',' if not loop.last }}
        {% endfor %}
    ) as numbers (day_number)
),

tariff_periods as (
    select * from {{ ref('tariff_periods') }}
),

national_holidays as (
    select * from {{ ref('national_holidays') }}
),

days as (
    select
        landed_months.month_start,
        {{ add_days('day_numbers.day_number', 'landed_months.month_start') }} as calendar_date
    from landed_months
    cross join day_numbers
),

days_of_month as (
    select
        days.month_start,
        days.calendar_date,
        case
            when {{ iso_day_of_week('days.calendar_date') }} >= 6 then 'rest_day'
            when national_holidays.holiday is not null then 'rest_day'
            else 'working_day'
        end as day_type
    from days
    left join national_holidays
        on
            extract(month from days.calendar_date) = national_holidays.month_of_year
            and extract(day from days.calendar_date) = national_holidays.day_of_month
    -- The 29th to 31st of a short month run over into the next.
    where cast(date_trunc('month', days.calendar_date) as date) = days.month_start
),

final as (
    select
        {{ hour_of_date('tariff_periods.hour_of_day', 'days_of_month.calendar_date') }} as hour_start,
        ---------- attributes
        days_of_month.calendar_date,
        days_of_month.month_start,
        {{ add_days(-1, add_months(1, 'days_of_month.month_start')) }} as month_end_date,
        tariff_periods.hour_of_day,
        days_of_month.day_type,
        tariff_periods.price_tier,
        tariff_periods.tariff_period
    from days_of_month
    inner join tariff_periods
        on days_of_month.day_type = tariff_periods.day_type
)

select * from final
