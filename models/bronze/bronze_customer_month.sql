-- The hourly table is read once. Hours are first added up by price tier and then laid side by side:
-- a group per tier is cheaper than three conditional sums over every hour. DuckDB takes the sign of a
-- dictionary-encoded reading once per distinct value, which a plain comparison does for every row.
with

hourly as (
    select * from {{ source('raw', 'consumption_hourly') }}
),

hours as (
    select * from {{ ref('bronze_hour') }}
),

tiers as (
    select
        hourly.customer_id,
        hours.month_start,
        hours.price_tier,
        sum(greatest(hourly.consumption_elec_kwh, 0)) as elec_kwh,
        sum(greatest(hourly.consumption_gas_m3, 0)) as gas_m3,
        count(*) as reading_count,
        count_if(sign(hourly.consumption_elec_kwh) < 0) as negative_elec_count,
        count_if(sign(hourly.consumption_gas_m3) < 0) as negative_gas_count
    from hourly
    inner join hours
        on hourly."timestamp" = hours.hour_start
    where hourly.customer_id is not null
    group by hourly.customer_id, hours.month_start, hours.price_tier
),

-- Sums of doubles depend on the order of rows in their last digits; six decimals do not.
final as (
    select
        customer_id,
        month_start,
        ---------- measures
        {% for tier in [1, 2, 3] %}
        coalesce(round(sum(case when price_tier = {{ tier }} then elec_kwh end), 6), 0) as elec_tier{{ tier }}_kwh,
        {% endfor %}
        coalesce(round(sum(elec_kwh), 6), 0) as elec_kwh,
        coalesce(round(sum(gas_m3), 6), 0) as gas_m3,
        ---------- counts
        cast(sum(reading_count) as bigint) as reading_count,
        coalesce(cast(sum(negative_elec_count) as bigint), 0) as negative_elec_count,
        coalesce(cast(sum(negative_gas_count) as bigint), 0) as negative_gas_count
    from tiers
    group by customer_id, month_start
)

select * from final
