-- Months that have not changed since the tables that a run begins with are kept; see docs/runs.md. Others are
-- replaced whole, so that nothing is left of a customer whom the month no longer holds.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    full_refresh=touched_months() is none,
    pre_hook="{{ delete_touched_months(this, ref('bronze_hour')) }}"
) }}

with

readings as (
    {{ customer_month_readings(source('raw', 'consumption_hourly'), ref('bronze_hour')) }}
),

-- Sums of doubles depend on the order of rows in their last digits; six decimals do not.
final as (
    select
        customer_id,
        month_start,
        ---------- measures
        {% for tier in [1, 2, 3] %}
        coalesce(round(elec_tier{{ tier }}_kwh, 6), 0) as elec_tier{{ tier }}_kwh,
        {% endfor %}
        coalesce(round(elec_kwh, 6), 0) as elec_kwh,
        coalesce(round(gas_m3, 6), 0) as gas_m3,
        ---------- counts
        cast(reading_count as bigint) as reading_count,
        cast(coalesce(negative_elec_count, 0) as bigint) as negative_elec_count,
        cast(coalesce(negative_gas_count, 0) as bigint) as negative_gas_count,
        ---------- dates
        max_reading_date,
        ---------- origin
        {{ month_version('month_start') }} as month_version
    from readings
)

select * from final
