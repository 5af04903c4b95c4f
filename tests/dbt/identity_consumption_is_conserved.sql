-- Electricity and gas of the window are the same in bronze and in gold, for the customers of gold.
with

observation_window as (
    {{ observation_window() }}
),

bronze as (
    select
        sum(months.elec_kwh) as elec_kwh,
        sum(months.gas_m3) as gas_m3
    from {{ ref('bronze_customer_month') }} as months
    inner join {{ ref('gold_master') }} as customers
        on months.customer_id = customers.customer_id
    cross join observation_window
    where
        months.month_start >= observation_window.window_start_date
        and months.month_start < observation_window.window_end_date
),

gold as (
    select
        sum(total_elec_kwh_12m) as elec_kwh,
        sum(total_gas_m3_12m) as gas_m3
    from {{ ref('gold_master') }}
)

select
    bronze.elec_kwh as bronze_elec_kwh,
    gold.elec_kwh as gold_elec_kwh,
    bronze.gas_m3 as bronze_gas_m3,
    gold.gas_m3 as gold_gas_m3
from bronze
cross join gold
where
    abs(bronze.elec_kwh - gold.elec_kwh) > 0.000000001 * abs(bronze.elec_kwh) + 0.001
    or abs(bronze.gas_m3 - gold.gas_m3) > 0.000000001 * abs(bronze.gas_m3) + 0.001
