-- All that was metered is there once: kWh and m³ of everybody, and what was below zero.
with

expected (what, elec_kwh, gas_m3, reading_count, negative_elec_count, negative_gas_count) as (
    values ('all', 137084.72e0, 600e0, 417, 7, 1)
),

actual as (
    select
        'all' as what,
        round(sum(elec_kwh), 6) as elec_kwh,
        round(sum(gas_m3), 6) as gas_m3,
        sum(reading_count) as reading_count,
        sum(negative_elec_count) as negative_elec_count,
        sum(negative_gas_count) as negative_gas_count
    from {{ ref('bronze_customer_month') }}
)

{{ rows_that_differ(['what'], ['elec_kwh', 'gas_m3', 'reading_count', 'negative_elec_count', 'negative_gas_count']) }}
