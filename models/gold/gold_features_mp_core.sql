with

customers as (
    select * from {{ ref('silver_customer') }}
),

customer_months as (
    select * from {{ ref('silver_customer_month') }}
),

province_costs as (
    select * from {{ ref('silver_province_cost_month') }}
),

totals as (
    {{ aggregates_in_order(
        'customer_months',
        keys=['customer_id', 'as_of_date'],
        order='month_start',
        in_order={
            'total_elec_kwh': ('sum', 'elec_kwh'),
            'total_gas_m3': ('sum', 'gas_m3'),
            'gas_revenue_eur': ('sum', 'gas_variable_revenue_eur + gas_fixed_revenue_eur'),
            'revenue_eur': ('sum', 'revenue_eur'),
        },
        in_any_order={
            'price_update_count': 'sum(pricing_date_count)',
            'month_count': 'count(*)',
            'max_reading_date': 'max(max_reading_date)',
            'max_price_date': 'max(max_price_date)',
        }
    ) }}
),

province_means as (
    select
        province_code,
        as_of_date,
        avg(elec_var_cost_eur_kwh order by month_start) as elec_cost_eur_kwh,
        avg(gas_var_cost_eur_m3 order by month_start) as gas_cost_eur_m3,
        max(max_cost_date) as max_cost_date
    from province_costs
    group by province_code, as_of_date
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
        case
            when totals.revenue_eur > 0 then totals.gas_revenue_eur / totals.revenue_eur
            when totals.revenue_eur is not null then 0e0
        end as gas_share_of_revenue,
        cast(coalesce(totals.price_update_count, 0) as bigint) as price_update_count,
        province_means.elec_cost_eur_kwh as province_avg_elec_cost_12m,
        province_means.gas_cost_eur_m3 as province_avg_gas_cost_12m,
        ---------- newest source dates
        totals.max_reading_date,
        totals.max_price_date,
        province_means.max_cost_date
    from customers
    left join totals
        on
            customers.customer_id = totals.customer_id
            and customers.as_of_date = totals.as_of_date
    left join province_means
        on
            customers.province_code = province_means.province_code
            and customers.as_of_date = province_means.as_of_date
)

select * from final
