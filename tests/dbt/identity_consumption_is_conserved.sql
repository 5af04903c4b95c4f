-- Electricity and gas of the window are the same in bronze and in gold, for the customers of gold, on each as-of date.
with

bronze as (
    select
        as_of_dates.as_of_date,
        sum(months.elec_kwh) as elec_kwh,
        sum(months.gas_m3) as gas_m3
    from {{ ref('silver_as_of_date') }} as as_of_dates
    inner join {{ ref('bronze_customer_month') }} as months
        on
            as_of_dates.window_start_date <= months.month_start
            and as_of_dates.window_end_date > months.month_start
    inner join {{ ref('gold_master') }} as customers
        on
            months.customer_id = customers.customer_id
            and as_of_dates.as_of_date = customers.as_of_date
    group by as_of_dates.as_of_date
),

gold as (
    select
        gold_master.as_of_date,
        sum(gold_master.total_elec_kwh_12m) as elec_kwh,
        sum(gold_master.total_gas_m3_12m) as gas_m3
    from {{ ref('gold_master') }} as gold_master
    inner join {{ ref('silver_as_of_date') }} as as_of_dates
        on gold_master.as_of_date = as_of_dates.as_of_date
    group by gold_master.as_of_date
)

select
    gold.as_of_date,
    bronze.elec_kwh as bronze_elec_kwh,
    gold.elec_kwh as gold_elec_kwh,
    bronze.gas_m3 as bronze_gas_m3,
    gold.gas_m3 as gold_gas_m3
from gold
left join bronze
    on gold.as_of_date = bronze.as_of_date
where
    bronze.as_of_date is null
    or abs(bronze.elec_kwh - gold.elec_kwh) > 0.000000001 * abs(bronze.elec_kwh) + 0.001
    or abs(bronze.gas_m3 - gold.gas_m3) > 0.000000001 * abs(bronze.gas_m3) + 0.001
