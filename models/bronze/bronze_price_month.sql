with

prices as (
    select
        *,
        cast(date_trunc('month', pricing_date) as date) as month_start
    from {{ source('raw', 'price_history') }}
    where customer_id is not null and pricing_date is not null
),

ranked as (
    select
        *,
        row_number() over (
            partition by customer_id, month_start
            order by pricing_date desc, variable_price_tier1_eur_kwh desc nulls last
        ) as row_rank
    from prices
),

counted as (
    select
        customer_id,
        month_start,
        count(distinct pricing_date) as pricing_date_count,
        count(*) - count(distinct pricing_date) as duplicate_count
    from prices
    group by customer_id, month_start
),

-- A price of zero means that it is missing; a fee or a cost of zero is one that is not charged.
final as (
    select
        ranked.customer_id,
        ranked.month_start,
        ---------- measures
        nullif(ranked.variable_price_tier1_eur_kwh, 0) as variable_price_tier1_eur_kwh,
        nullif(ranked.variable_price_tier2_eur_kwh, 0) as variable_price_tier2_eur_kwh,
        nullif(ranked.variable_price_tier3_eur_kwh, 0) as variable_price_tier3_eur_kwh,
        ranked.elec_fixed_fee_eur_month,
        ranked.elec_fixed_cost_eur_month,
        nullif(ranked.gas_variable_price_eur_m3, 0) as gas_variable_price_eur_m3,
        ranked.gas_fixed_revenue_eur_year,
        ranked.gas_fixed_cost_eur_year,
        ---------- dates
        ranked.pricing_date as newest_pricing_date,
        ---------- counts
        counted.pricing_date_count,
        counted.duplicate_count
    from ranked
    inner join counted
        on
            ranked.customer_id = counted.customer_id
            and ranked.month_start = counted.month_start
    where ranked.row_rank = 1
)

select * from final
