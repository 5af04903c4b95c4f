-- Where a price comes from: observed, the last known, the next known, the segment's median, the country's.
with

expected (customer_id, month_start, tier1_eur_kwh, tier1_source, tier2_eur_kwh, tier2_source, gas_eur_m3, gas_source) as (
    values
    ('C00001', date '2024-01-01', 0.2e0, 'observed', 0.15e0, 'observed', 1e0, 'segment_median'),
    ('C00002', date '2024-07-01', 0.23e0, 'observed', 0.16e0, 'observed', 1.2e0, 'observed'),
    ('C00003', date '2024-04-01', 0.3e0, 'observed', 0.2e0, 'observed', 1e0, 'national_median'),
    ('C00012', date '2024-01-01', 0.22e0, 'next_known', 0.15e0, 'next_known', 1e0, 'segment_median'),
    ('C00012', date '2024-02-01', 0.22e0, 'next_known', 0.15e0, 'next_known', 1e0, 'segment_median'),
    ('C00012', date '2024-03-01', 0.22e0, 'observed', 0.15e0, 'observed', 1e0, 'segment_median'),
    ('C00012', date '2024-05-01', 0.22e0, 'last_known', 0.15e0, 'observed', 1e0, 'segment_median'),
    ('C00012', date '2024-06-01', 0.22e0, 'last_known', 0.15e0, 'last_known', 1e0, 'segment_median'),
    ('C00012', date '2024-08-01', 0.24e0, 'observed', 0.15e0, 'observed', 1e0, 'segment_median'),
    ('C00012', date '2024-12-01', 0.24e0, 'observed', 0.15e0, 'observed', 1e0, 'segment_median'),
    ('C00019', date '2024-02-01', 0.2e0, 'national_median', 0.15e0, 'national_median', 1e0, 'national_median'),
    ('C00019', date '2024-05-01', 0.3e0, 'segment_median', 0.2e0, 'segment_median', 1e0, 'national_median'),
    ('C00019', date '2024-12-01', 0.3e0, 'segment_median', 0.2e0, 'segment_median', 1e0, 'national_median')
),

actual as (
    select
        prices.customer_id,
        prices.month_start,
        prices.variable_price_tier1_eur_kwh as tier1_eur_kwh,
        prices.variable_price_tier1_eur_kwh_source as tier1_source,
        prices.variable_price_tier2_eur_kwh as tier2_eur_kwh,
        prices.variable_price_tier2_eur_kwh_source as tier2_source,
        prices.gas_variable_price_eur_m3 as gas_eur_m3,
        prices.gas_variable_price_eur_m3_source as gas_source
    from {{ ref('silver_price_month') }} as prices
    inner join expected
        on
            prices.customer_id = expected.customer_id
            and prices.month_start = expected.month_start
)

{{ rows_that_differ(
    ['customer_id', 'month_start'],
    ['tier1_eur_kwh', 'tier1_source', 'tier2_eur_kwh', 'tier2_source', 'gas_eur_m3', 'gas_source']
) }}
