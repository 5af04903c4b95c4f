with

customers as (
    select * from {{ ref('silver_customer') }}
),

customer_months as (
    select * from {{ ref('silver_customer_month') }}
),

province_costs as (
    select * from {{ ref('bronze_province_cost_month') }}
),

observation_window as (
    {{ observation_window() }}
),

-- Doubles are added up in a stated order: another order gives other last digits.
totals as (
    select
        customer_id,
        sum(elec_kwh order by month_start) as total_elec_kwh,
        sum(gas_m3 order by month_start) as total_gas_m3,
        sum(gas_variable_revenue_eur + gas_fixed_revenue_eur order by month_start) as gas_revenue_eur,
        sum(revenue_eur order by month_start) as revenue_eur,
        sum(pricing_date_count) as price_update_count,
        count(*) as month_count
    from customer_months
    group by customer_id
),

province_means as (
    select
        province_costs.province_code,
        avg(province_costs.elec_var_cost_eur_kwh order by province_costs.month_start) as elec_cost_eur_kwh,
        avg(province_costs.gas_var_cost_eur_m3 order by province_costs.month_start) as gas_cost_eur_m3
    from province_costs
    cross join observation_window
    where
        province_costs.month_start >= observation_window.window_start_date
        and province_costs.month_start < observation_window.window_end_date
    group by province_costs.province_code
),

final as (
    select
        customers.customer_id,
        customers.as_of_date,
        ---------- consumption
        totals.total_elec_kwh / totals.month_count as avg_monthly_elec_kwh,
        totals.total_elec_kwh as total_elec_kwh_12m,
        totals.total_gas_m3 / totals.month_count as avg_monthly_gas_m3,
        totals.total_gas_m3 as total_gas_m3_12m,
        ---------- market
        coalesce(case when totals.revenue_eur > 0 then totals.gas_revenue_eur / totals.revenue_eur end, 0e0)
            as gas_share_of_revenue,
        cast(coalesce(totals.price_update_count, 0) as bigint) as price_update_count,
        province_means.elec_cost_eur_kwh as province_avg_elec_cost_12m,
        province_means.gas_cost_eur_m3 as province_avg_gas_cost_12m
    from customers
    left join totals
        on customers.customer_id = totals.customer_id
    left join province_means
        on customers.province_code = province_means.province_code
)

select * from final
