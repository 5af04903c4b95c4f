-- The newest month of one customer in fifty, added up hour by hour with the calendar, is what bronze_customer_month
-- holds: engines have ways of their own to get there. It reads hours again, so that runs leave it out.
{{ config(tags=['proof']) }}

with

newest as (
    select max(month_start) as month_start
    from {{ ref('bronze_hour') }}
),

sample_hours as (
    select
        hourly.customer_id,
        hours.month_start,
        hours.price_tier,
        greatest(hourly.consumption_elec_kwh, 0) as elec_kwh,
        greatest(hourly.consumption_gas_m3, 0) as gas_m3
    from {{ source('raw', 'consumption_hourly') }} as hourly
    inner join {{ ref('bronze_hour') }} as hours
        on hourly."timestamp" = hours.hour_start
    inner join newest
        on hours.month_start = newest.month_start
    where
        hourly.month = substr(cast(newest.month_start as varchar), 1, 7)
        and {{ hash_share('hourly.customer_id') }} < 0.02
),

added_up as (
    select
        customer_id,
        month_start,
        {% for tier in [1, 2, 3] %}
        coalesce(sum(case when price_tier = {{ tier }} then elec_kwh end), 0) as elec_tier{{ tier }}_kwh,
        {% endfor %}
        coalesce(sum(gas_m3), 0) as gas_m3,
        count(*) as reading_count
    from sample_hours
    group by customer_id, month_start
),

built as (
    select months.*
    from {{ ref('bronze_customer_month') }} as months
    inner join newest as newest_month
        on months.month_start = newest_month.month_start
    where {{ hash_share('months.customer_id') }} < 0.02
)

select
    coalesce(added_up.customer_id, built.customer_id) as customer_id,
    {% for tier in [1, 2, 3] %}
    added_up.elec_tier{{ tier }}_kwh as added_up_tier{{ tier }}_kwh,
    built.elec_tier{{ tier }}_kwh,
    {% endfor %}
    added_up.reading_count as added_up_count,
    built.reading_count
from added_up
full outer join built
    on added_up.customer_id = built.customer_id
where
    added_up.customer_id is null
    or built.customer_id is null
    {% for tier in [1, 2, 3] %}
    or abs(added_up.elec_tier{{ tier }}_kwh - built.elec_tier{{ tier }}_kwh) > 0.00001
    {% endfor %}
    or abs(added_up.gas_m3 - built.gas_m3) > 0.00001
    or added_up.reading_count <> built.reading_count
