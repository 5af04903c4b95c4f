with

costs as (
    select * from {{ ref('bronze_province_cost_month') }}
),

as_of_dates as (
    select * from {{ ref('silver_as_of_date') }}
),

final as (
    select
        costs.province_code,
        costs.month_start,
        as_of_dates.as_of_date,
        ---------- measures
        costs.elec_var_cost_eur_kwh,
        costs.gas_var_cost_eur_m3,
        costs.elec_toll_eur_kwh,
        ---------- newest source dates
        costs.max_cost_date
    from costs
    inner join as_of_dates
        on
            costs.month_start >= as_of_dates.window_start_date
            and costs.month_start < as_of_dates.window_end_date
)

select * from final
