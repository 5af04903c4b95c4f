-- Hours are added up by tier: by hand from the readings, see tests/micro/README.md.
with

expected (customer_id, month_start, elec_tier1_kwh, elec_tier2_kwh, elec_tier3_kwh, gas_m3, reading_count, negative_elec_count, negative_gas_count) as (
    values
    ('C00001', date '2023-12-01', 100e0, 80e0, 60e0, 0e0, 3, 0, 0),
    -- Peak 100 + 20.60, standard 80 + 21.24 + the last hour's 5, off-peak 60 + 1.40 + Saturday's and New Year's 24.
    ('C00001', date '2024-01-01', 120.6e0, 106.24e0, 109.4e0, 0e0, 76, 0, 0),
    -- The leap day's 9, the first hour's 3.
    ('C00001', date '2024-02-01', 109e0, 80e0, 63e0, 0e0, 5, 0, 0),
    ('C00001', date '2024-03-01', 100e0, 80e0, 83e0, 0e0, 26, 0, 0),
    ('C00001', date '2024-04-01', 100e0, 80e0, 60e0, 0e0, 3, 0, 0),
    ('C00001', date '2024-05-01', 100e0, 80e0, 67e0, 0e0, 4, 0, 0),
    ('C00001', date '2024-06-01', 100e0, 80e0, 60e0, 0e0, 3, 0, 0),
    ('C00001', date '2024-07-01', 100e0, 80e0, 60e0, 0e0, 3, 0, 0),
    ('C00001', date '2024-08-01', 100e0, 80e0, 67e0, 0e0, 4, 0, 0),
    ('C00001', date '2024-09-01', 100e0, 80e0, 60e0, 0e0, 3, 0, 0),
    ('C00001', date '2024-10-01', 100e0, 80e0, 85e0, 0e0, 28, 0, 0),
    ('C00001', date '2024-11-01', 100e0, 80e0, 67e0, 0e0, 4, 0, 0),
    ('C00001', date '2024-12-01', 100e0, 80e0, 74e0, 0e0, 5, 0, 0),
    ('C00002', date '2023-12-01', 50e0, 0e0, 0e0, 100e0, 1, 0, 0),
    ('C00002', date '2024-01-01', 50e0, 0e0, 0e0, 100e0, 1, 0, 0),
    ('C00002', date '2024-02-01', 54e0, 0e0, 0e0, 100e0, 3, 1, 1),
    ('C00002', date '2024-03-01', 50e0, 0e0, 0e0, 100e0, 1, 0, 0),
    ('C00002', date '2024-04-01', 50e0, 0e0, 0e0, 0e0, 1, 0, 0),
    ('C00002', date '2024-05-01', 50e0, 0e0, 0e0, 0e0, 1, 0, 0),
    ('C00002', date '2024-06-01', 50e0, 0e0, 0e0, 0e0, 1, 0, 0),
    ('C00002', date '2024-07-01', 50e0, 0e0, 0e0, 0e0, 1, 0, 0),
    ('C00002', date '2024-08-01', 50e0, 0e0, 0e0, 0e0, 1, 0, 0),
    ('C00002', date '2024-09-01', 50e0, 0e0, 0e0, 0e0, 1, 0, 0),
    ('C00002', date '2024-10-01', 50e0, 0e0, 0e0, 0e0, 1, 0, 0),
    ('C00002', date '2024-11-01', 50e0, 0e0, 0e0, 100e0, 1, 0, 0),
    ('C00002', date '2024-12-01', 50e0, 0e0, 0e0, 100e0, 1, 0, 0),
    ('C00003', date '2024-01-01', 40e0, 0e0, 0e0, 0e0, 1, 0, 0),
    ('C00003', date '2024-03-01', 40e0, 0e0, 0e0, 0e0, 1, 0, 0),
    ('C00003', date '2024-04-01', 40e0, 0e0, 0e0, 0e0, 1, 0, 0),
    ('C00003', date '2024-07-01', 60e0, 0e0, 0e0, 0e0, 1, 0, 0),
    ('C00003', date '2024-08-01', 60e0, 0e0, 0e0, 0e0, 1, 0, 0),
    ('C00003', date '2024-12-01', 80e0, 0e0, 0e0, 0e0, 1, 0, 0),
    ('C00019', date '2024-02-01', 200e0, 0e0, 0e0, 0e0, 1, 0, 0),
    ('C00019', date '2024-05-01', 200e0, 0e0, 0e0, 0e0, 1, 0, 0),
    ('C00019', date '2024-12-01', 200e0, 0e0, 0e0, 0e0, 1, 0, 0),
    ('C00099', date '2024-11-01', 0e0, 0e0, 3e0, 0e0, 1, 0, 0),
    ('C00099', date '2024-12-01', 70e0, 0e0, 0e0, 0e0, 1, 0, 0)
),

actual as (
    select * from {{ ref('bronze_customer_month') }}
    where customer_id is null or customer_id in ('C00001', 'C00002', 'C00003', 'C00008', 'C00018', 'C00019', 'C00099')
)

{{ rows_that_differ(
    ['customer_id', 'month_start'],
    ['elec_tier1_kwh', 'elec_tier2_kwh', 'elec_tier3_kwh', 'gas_m3', 'reading_count', 'negative_elec_count', 'negative_gas_count']
) }}
