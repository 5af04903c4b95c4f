with

customers as (
    select * from {{ ref('silver_customer') }}
),

customer_months as (
    select * from {{ ref('bronze_customer_month') }}
),

price_months as (
    select * from {{ ref('silver_price_month') }}
),

costs as (
    select * from {{ ref('silver_province_cost_month') }}
),

as_of_dates as (
    select * from {{ ref('silver_as_of_date') }}
),

-- Gas is supplied all year to who burns it in winter.
gas_customers as (
    select
        customer_months.customer_id,
        as_of_dates.as_of_date
    from as_of_dates
    inner join customer_months
        on
            as_of_dates.window_start_date <= customer_months.month_start
            and as_of_dates.window_end_date > customer_months.month_start
    where customer_months.gas_m3 > 0
    group by customer_months.customer_id, as_of_dates.as_of_date
),

-- What is known of a customer is put together before it is joined to months, of which there are twelve times as many.
known_customers as (
    select
        customers.customer_id,
        customers.as_of_date,
        customers.province_code,
        {{ flag('gas_customers.customer_id is not null') }} as is_gas_customer
    from customers
    left join gas_customers
        on
            customers.customer_id = gas_customers.customer_id
            and customers.as_of_date = gas_customers.as_of_date
),

-- The months of prices are those of each window. Readings, which do not depend on the as-of date, are joined to
-- them once: to place them in windows as well is a join of two tables of every month of every window.
-- Customers are joined from the left though all are there: DuckDB would else join them with all their readings first.
windowed as (
    select
        customer_months.*,
        known_customers.province_code,
        known_customers.is_gas_customer,
        prices.as_of_date,
        {% for price in price_columns() %}
        prices.{{ price }},
        {% endfor %}
        prices.max_price_date,
        prices.pricing_date_count
    from price_months as prices
    inner join customer_months
        on
            prices.customer_id = customer_months.customer_id
            and prices.month_start = customer_months.month_start
    left join known_customers
        on
            prices.customer_id = known_customers.customer_id
            and prices.as_of_date = known_customers.as_of_date
),

amounts as (
    select
        windowed.*,
        costs.elec_var_cost_eur_kwh,
        costs.gas_var_cost_eur_m3,
        windowed.elec_tier1_kwh * windowed.variable_price_tier1_eur_kwh
        + windowed.elec_tier2_kwh * windowed.variable_price_tier2_eur_kwh
        + windowed.elec_tier3_kwh * windowed.variable_price_tier3_eur_kwh as elec_variable_revenue_eur,
        windowed.elec_fixed_fee_eur_month as elec_fixed_revenue_eur,
        windowed.elec_kwh * (costs.elec_var_cost_eur_kwh + costs.elec_toll_eur_kwh) as elec_variable_cost_eur,
        windowed.elec_fixed_cost_eur_month as elec_fixed_cost_eur,
        case when windowed.is_gas_customer = 1 then windowed.gas_m3 * windowed.gas_variable_price_eur_m3 else 0 end
            as gas_variable_revenue_eur,
        case when windowed.is_gas_customer = 1 then windowed.gas_fixed_revenue_eur_year / 12 else 0 end
            as gas_fixed_revenue_eur,
        case when windowed.is_gas_customer = 1 then windowed.gas_m3 * costs.gas_var_cost_eur_m3 else 0 end
            as gas_variable_cost_eur,
        case when windowed.is_gas_customer = 1 then windowed.gas_fixed_cost_eur_year / 12 else 0 end
            as gas_fixed_cost_eur,
        costs.max_cost_date
    from windowed
    left join costs
        on
            windowed.province_code = costs.province_code
            and windowed.as_of_date = costs.as_of_date
            and windowed.month_start = costs.month_start
),

final as (
    select
        customer_id,
        month_start,
        as_of_date,
        ---------- consumption
        elec_kwh,
        gas_m3,
        ---------- prices and costs per unit
        variable_price_tier1_eur_kwh,
        case when is_gas_customer = 1 then gas_variable_price_eur_m3 end as gas_variable_price_eur_m3,
        elec_var_cost_eur_kwh,
        gas_var_cost_eur_m3,
        ---------- amounts
        elec_variable_revenue_eur,
        elec_fixed_revenue_eur,
        elec_variable_cost_eur,
        elec_fixed_cost_eur,
        gas_variable_revenue_eur,
        gas_fixed_revenue_eur,
        gas_variable_cost_eur,
        gas_fixed_cost_eur,
        elec_variable_revenue_eur + elec_fixed_revenue_eur
        + gas_variable_revenue_eur + gas_fixed_revenue_eur as revenue_eur,
        elec_variable_cost_eur + elec_fixed_cost_eur + gas_variable_cost_eur + gas_fixed_cost_eur as cost_eur,
        elec_variable_revenue_eur + elec_fixed_revenue_eur - elec_variable_cost_eur - elec_fixed_cost_eur
        + gas_variable_revenue_eur + gas_fixed_revenue_eur - gas_variable_cost_eur - gas_fixed_cost_eur as margin_eur,
        ---------- flags
        is_gas_customer,
        ---------- newest source dates
        max_reading_date,
        max_price_date,
        max_cost_date,
        ---------- counts
        pricing_date_count
    from amounts
)

select * from final
