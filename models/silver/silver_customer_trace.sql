-- A view: the leakage audit reads it once, for the date that a model is trained on.
{{ config(materialized='view') }}

with

customers as (
    select * from {{ ref('silver_customer') }}
),

as_of_dates as (
    select * from {{ ref('silver_as_of_date') }}
),

interactions as (
    select * from {{ ref('silver_interaction') }}
),

price_months as (
    select * from {{ ref('bronze_price_month') }}
),

customer_months as (
    select * from {{ ref('bronze_customer_month') }}
),

contacts as (
    select
        customer_id,
        as_of_date,
        max(interaction_date) as last_contact_date,
        count(*) as contact_count,
        count(case when date_diff('day', interaction_date, as_of_date) <= 30 then 1 end) as contact_count_30d
    from interactions
    group by customer_id, as_of_date
),

priced as (
    select
        price_months.customer_id,
        as_of_dates.as_of_date,
        price_months.month_start,
        price_months.variable_price_tier1_eur_kwh as price,
        lag(price_months.variable_price_tier1_eur_kwh) over (
            partition by price_months.customer_id, as_of_dates.as_of_date
            order by price_months.month_start
        ) as price_before
    from as_of_dates
    inner join price_months
        on
            as_of_dates.window_start_date <= price_months.month_start
            and as_of_dates.window_end_date > price_months.month_start
),

prices as (
    select
        customer_id,
        as_of_date,
        max(month_start) as last_price_month,
        max(case when price <> price_before then month_start end) as last_price_change_month,
        count(*) as price_month_count
    from priced
    group by customer_id, as_of_date
),

metered as (
    select
        customer_months.customer_id,
        as_of_dates.as_of_date,
        customer_months.month_start,
        customer_months.reading_count,
        customer_months.elec_kwh + customer_months.gas_m3 as energy,
        date_diff('month', customer_months.month_start, as_of_dates.window_end_date) as months_ago
    from as_of_dates
    inner join customer_months
        on
            as_of_dates.window_start_date <= customer_months.month_start
            and as_of_dates.window_end_date > customer_months.month_start
),

meters as (
    select
        customer_id,
        as_of_date,
        max(month_start) as last_reading_month,
        max(case when energy > 0 then month_start end) as last_used_month,
        count(*) as reading_month_count,
        sum(case when months_ago = 1 then reading_count end) as last_month_reading_count,
        sum(case when months_ago = 1 then energy end) as last_month_energy,
        avg(case when months_ago > 1 then energy end) as mean_energy_before
    from metered
    group by customer_id, as_of_date
),

final as (
    select
        customers.customer_id,
        customers.as_of_date,
        ---------- contacts
        date_diff('day', contacts.last_contact_date, customers.as_of_date) as days_since_contact,
        coalesce(contacts.contact_count, 0) as contact_count,
        coalesce(contacts.contact_count_30d, 0) as contact_count_30d,
        ---------- prices
        date_diff('month', prices.last_price_month, as_of_dates.window_end_date) as months_since_price,
        date_diff('month', prices.last_price_change_month, as_of_dates.window_end_date) as months_since_price_change,
        coalesce(prices.price_month_count, 0) as price_month_count,
        ---------- readings
        date_diff('month', meters.last_reading_month, as_of_dates.window_end_date) as months_since_reading,
        date_diff('month', meters.last_used_month, as_of_dates.window_end_date) as months_since_usage,
        coalesce(meters.reading_month_count, 0) as reading_month_count,
        cast(coalesce(meters.last_month_reading_count, 0) as bigint) as last_month_reading_count,
        meters.last_month_energy / nullif(meters.mean_energy_before, 0) as last_month_usage_ratio,
        ---------- blanks
        {% for field in ['contracted_power_kw', 'province_code', 'region', 'customer_first_activation_date',
            'next_renewal_date'] %}
        {{ flag('customers.' ~ field ~ ' is null') }} {{ '+' if not loop.last }}
        {% endfor %}
            as blank_field_count
    from customers
    inner join as_of_dates
        on customers.as_of_date = as_of_dates.as_of_date
    left join contacts
        on
            customers.customer_id = contacts.customer_id
            and customers.as_of_date = contacts.as_of_date
    left join prices
        on
            customers.customer_id = prices.customer_id
            and customers.as_of_date = prices.as_of_date
    left join meters
        on
            customers.customer_id = meters.customer_id
            and customers.as_of_date = meters.as_of_date
)

select * from final
