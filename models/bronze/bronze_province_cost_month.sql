with

costs as (
    select
        cast(month || '-01' as date) as month_start,
        upper(trim(province)) as province_code,
        elec_var_cost_eur_kwh,
        gas_var_cost_eur_m3,
        peaje_elec_eur_kwh
    from {{ source('raw', 'costs_by_province_month') }}
    where month is not null and province is not null
),

final as (
    select
        province_code,
        month_start,
        ---------- measures
        max(elec_var_cost_eur_kwh) as elec_var_cost_eur_kwh,
        max(gas_var_cost_eur_m3) as gas_var_cost_eur_m3,
        max(peaje_elec_eur_kwh) as elec_toll_eur_kwh,
        ---------- dates
        {{ add_days(-1, add_months(1, 'month_start')) }} as max_cost_date,
        ---------- counts
        count(*) - 1 as duplicate_count
    from costs
    group by province_code, month_start
)

select * from final
