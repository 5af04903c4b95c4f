-- Revenue and cost of a month: kWh × price of the tier + fee − kWh × (cost + toll) − fixed cost, gas beside it.
with

expected (customer_id, month_start, variable_price_tier1_eur_kwh, elec_variable_revenue_eur, gas_variable_revenue_eur, revenue_eur, cost_eur, margin_eur, is_gas_customer, pricing_date_count) as (
    values
    -- 120.6 × 0.20 + 106.24 × 0.15 + 109.4 × 0.10, fee 5; 336.24 × (0.08 + 0.03), cost 3.
    ('C00001', date '2024-01-01', 0.2e0, 50.996e0, 0e0, 55.996e0, 39.9864e0, 16.0096e0, 0, 1),
    ('C00001', date '2024-02-01', 0.2e0, 40.1e0, 0e0, 45.1e0, 30.72e0, 14.38e0, 0, 1),
    ('C00001', date '2024-06-01', 0.2e0, 38e0, 0e0, 43e0, 29.4e0, 13.6e0, 0, 1),
    -- From July 0.25 a kWh, and 0.10 of cost.
    ('C00001', date '2024-07-01', 0.25e0, 43e0, 0e0, 48e0, 34.2e0, 13.8e0, 0, 1),
    ('C00001', date '2024-10-01', 0.25e0, 45.5e0, 0e0, 50.5e0, 37.45e0, 13.05e0, 0, 1),
    ('C00001', date '2024-12-01', 0.25e0, 44.4e0, 0e0, 49.4e0, 36.02e0, 13.38e0, 0, 1),
    -- Gas: 100 × 1.0 + 120 / 12 − 100 × 0.7 − 60 / 12.
    ('C00002', date '2024-02-01', 0.22e0, 11.88e0, 100e0, 126.88e0, 83.94e0, 42.94e0, 1, 1),
    -- The newer of July's two prices. A gas customer pays the fixed part in summer too.
    ('C00002', date '2024-07-01', 0.23e0, 11.5e0, 0e0, 26.5e0, 13.5e0, 13e0, 1, 2),
    ('C00003', date '2024-01-01', 0.3e0, 12e0, 0e0, 22e0, 10.4e0, 11.6e0, 0, 1),
    ('C00003', date '2024-07-01', 0.3e0, 18e0, 0e0, 28e0, 13.8e0, 14.2e0, 0, 1),
    ('C00003', date '2024-12-01', 0.3e0, 24e0, 0e0, 34e0, 16.4e0, 17.6e0, 0, 1),
    -- 10,000 kWh at 0.09 that cost 0.12.
    ('C00004', date '2024-07-01', 0.09e0, 900e0, 0e0, 950e0, 1230e0, -280e0, 0, 1),
    -- Export counts as nothing bought: 20 × 0.18 + 5 − 20 × 0.12 − 3.
    ('C00007', date '2024-06-01', 0.18e0, 3.6e0, 0e0, 8.6e0, 5.4e0, 3.2e0, 0, 1),
    -- Of two prices of one day the higher: 10 × 0.21.
    ('C00011', date '2024-12-01', 0.21e0, 2.1e0, 0e0, 7.1e0, 4.3e0, 2.8e0, 0, 1),
    -- The next known price, of March, where none came before it; fee 0.
    ('C00012', date '2024-01-01', 0.22e0, 2.2e0, 0e0, 2.2e0, 4.1e0, -1.9e0, 0, 0),
    -- Zero is no price: the last known one, of April.
    ('C00012', date '2024-05-01', 0.22e0, 2.2e0, 0e0, 7.2e0, 4.1e0, 3.1e0, 0, 1),
    -- No row at all: price and fee of before.
    ('C00012', date '2024-06-01', 0.22e0, 2.2e0, 0e0, 7.2e0, 4.1e0, 3.1e0, 0, 0),
    -- Null on the newest row of the month.
    ('C00012', date '2024-11-01', 0.24e0, 2.4e0, 0e0, 7.4e0, 4.3e0, 3.1e0, 0, 2),
    -- The median of the country, then of the segment.
    ('C00019', date '2024-02-01', 0.2e0, 40e0, 0e0, 45e0, 27e0, 18e0, 0, 0),
    ('C00019', date '2024-05-01', 0.3e0, 60e0, 0e0, 70e0, 30e0, 40e0, 0, 0)
),

actual as (
    select
        months.customer_id,
        months.month_start,
        months.variable_price_tier1_eur_kwh,
        round(months.elec_variable_revenue_eur, 6) as elec_variable_revenue_eur,
        round(months.gas_variable_revenue_eur, 6) as gas_variable_revenue_eur,
        round(months.revenue_eur, 6) as revenue_eur,
        round(months.cost_eur, 6) as cost_eur,
        round(months.margin_eur, 6) as margin_eur,
        months.is_gas_customer,
        months.pricing_date_count
    from {{ ref('silver_customer_month') }} as months
    inner join expected
        on
            months.customer_id = expected.customer_id
            and months.month_start = expected.month_start
    where months.as_of_date = date '2024-12-31'
)

{{ rows_that_differ(
    ['customer_id', 'month_start'],
    ['variable_price_tier1_eur_kwh', 'elec_variable_revenue_eur', 'gas_variable_revenue_eur', 'revenue_eur',
        'cost_eur', 'margin_eur', 'is_gas_customer', 'pricing_date_count']
) }}
