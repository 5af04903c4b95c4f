-- Longer than most: two tiers are made of the same months, which are added up once.
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

as_of_dates as (
    select
        as_of_date,
        {{ add_months(-3, 'window_end_date') }} as newer_quarter_start,
        {{ add_months(-6, 'window_end_date') }} as older_quarter_start
    from {{ ref('silver_as_of_date') }}
),

-- The last quarter of the window and the one before, whether the customer has readings in all of their months or not.
dated as (
    select
        customer_months.*,
        as_of_dates.newer_quarter_start,
        as_of_dates.older_quarter_start
    from customer_months
    inner join as_of_dates
        on customer_months.as_of_date = as_of_dates.as_of_date
),

behaviour as (
    select
        customer_id,
        as_of_date,
        ---------- amounts, in no particular order
        {{ exact_sum('elec_kwh') }} as total_elec_kwh,
        {{ exact_sum('gas_m3') }} as total_gas_m3,
        {{ exact_sum('gas_variable_revenue_eur + gas_fixed_revenue_eur', digits=8) }} as gas_revenue_eur,
        {{ exact_sum('revenue_eur', digits=8) }} as revenue_eur,
        {{ exact_sum('margin_eur', digits=8) }} as total_margin_eur,
        {{ exact_mean(
            'case when month_start >= newer_quarter_start then margin_eur end',
            digits=8
        ) }} as newer_margin_eur,
        {{ exact_mean(
            'case when month_start >= older_quarter_start and month_start < newer_quarter_start then margin_eur end',
            digits=8
        ) }} as older_margin_eur,
        {{ exact_stddev('elec_kwh', digits=9) }} as std_monthly_elec_kwh,
        {{ exact_stddev('gas_m3', digits=9) }} as std_monthly_gas_m3,
        {{ exact_stddev('margin_eur', digits=9) }} as std_margin,
        {{ exact_stddev('variable_price_tier1_eur_kwh', digits=9) }} as elec_price_volatility,
        ---------- counts and extremes
        count(*) as month_count,
        count(case when elec_kwh > 0 or gas_m3 > 0 then 1 end) as active_months_count,
        sum(pricing_date_count) as price_update_count,
        min(margin_eur) as min_monthly_margin,
        count(case when margin_eur < 0 then 1 end) as loss_month_count,
        count(margin_eur) as margin_month_count,
        ---------- ends of the window
        min_by(variable_price_tier1_eur_kwh, month_start) as first_elec_price,
        max_by(variable_price_tier1_eur_kwh, month_start) as last_elec_price,
        min_by(gas_variable_price_eur_m3, month_start) as first_gas_price,
        max_by(gas_variable_price_eur_m3, month_start) as last_gas_price,
        max(max_reading_date) as max_reading_date,
        max(max_price_date) as max_price_date,
        max(max_cost_date) as max_cost_date
    from dated
    group by customer_id, as_of_date
),

provinces as (
    select
        province_code,
        as_of_date,
        {{ exact_mean('elec_var_cost_eur_kwh', digits=12) }} as mean_elec_cost,
        {{ exact_mean('gas_var_cost_eur_m3', digits=12) }} as mean_gas_cost,
        min_by(elec_var_cost_eur_kwh, month_start) as first_elec_cost,
        max_by(elec_var_cost_eur_kwh, month_start) as last_elec_cost,
        max(max_cost_date) as max_cost_date
    from province_costs
    group by province_code, as_of_date
),

final as (
    select
        customers.customer_id,
        customers.as_of_date,
        ---------- core: consumption
        behaviour.total_elec_kwh / behaviour.month_count as avg_monthly_elec_kwh,
        behaviour.total_elec_kwh as total_elec_kwh_12m,
        behaviour.total_gas_m3 / behaviour.month_count as avg_monthly_gas_m3,
        behaviour.total_gas_m3 as total_gas_m3_12m,
        ---------- core: market
        case
            when behaviour.revenue_eur > 0 then behaviour.gas_revenue_eur / behaviour.revenue_eur
            when behaviour.revenue_eur is not null then 0e0
        end as gas_share_of_revenue,
        cast(coalesce(behaviour.price_update_count, 0) as bigint) as price_update_count,
        provinces.mean_elec_cost as province_avg_elec_cost_12m,
        provinces.mean_gas_cost as province_avg_gas_cost_12m,
        ---------- risk: consumption
        behaviour.std_monthly_elec_kwh,
        behaviour.std_monthly_gas_m3,
        coalesce(behaviour.active_months_count, 0) as active_months_count,
        ---------- risk: margin
        behaviour.std_margin,
        behaviour.min_monthly_margin,
        case when behaviour.margin_month_count > 0 then behaviour.loss_month_count end as loss_month_count,
        behaviour.newer_margin_eur - behaviour.older_margin_eur as rolling_margin_trend,
        behaviour.total_margin_eur / nullif(behaviour.margin_month_count, 0) as avg_monthly_margin_eur,
        behaviour.total_margin_eur as total_margin_eur_12m,
        ---------- risk: prices
        (behaviour.last_elec_price - behaviour.first_elec_price)
        / nullif(behaviour.first_elec_price, 0) as elec_price_trend_12m,
        (behaviour.last_gas_price - behaviour.first_gas_price)
        / nullif(behaviour.first_gas_price, 0) as gas_price_trend_12m,
        behaviour.elec_price_volatility as elec_price_volatility_12m,
        (provinces.last_elec_cost - provinces.first_elec_cost)
        / nullif(provinces.first_elec_cost, 0) as province_elec_cost_trend,
        behaviour.last_elec_price - provinces.mean_elec_cost as elec_price_vs_province_cost_spread,
        {{ flag('behaviour.last_elec_price > behaviour.first_elec_price') }} as is_price_increase,
        ---------- newest source dates
        behaviour.max_reading_date,
        behaviour.max_price_date,
        {{ newest_of(['behaviour.max_cost_date', 'provinces.max_cost_date']) }} as max_cost_date
    from customers
    left join behaviour
        on
            customers.customer_id = behaviour.customer_id
            and customers.as_of_date = behaviour.as_of_date
    left join provinces
        on
            customers.province_code = provinces.province_code
            and customers.as_of_date = provinces.as_of_date
)

select * from final
