-- Who is a customer, of which contract and attributes. Months are days / 30.44.
with

expected (customer_id, days_to_renewal, renewal_bucket, tenure_days, tenure_bucket, segment, sales_channel, province_code, contracted_power_kw, portfolio_type, is_second_residence, is_high_competition_province, is_urban, is_expired_contract, is_high_risk_lifecycle, churn) as (
    values
    ('C00001', 60, '0-3m', 1827, '5y+', 'Residential', 'In-Person Commercial', '28', 4.6e0, 'Residential_SingleFuel', 0, 1, 1, 0, 0, 1),
    ('C00002', 182, '3-6m', 183, '6-12m', 'Residential', 'Comparison Website', '08', 5.75e0, 'Residential_DualFuel', 0, 0, 1, 0, 0, 1),
    ('C00003', 335, '6-12m', 731, '2-5y', 'SME', 'Telemarketing', '28', 10e0, 'SME_SingleFuel', 0, 1, 1, 0, 0, 0),
    -- The contract ends on the very day.
    ('C00004', 0, 'expired', 3852, '5y+', 'Corporate', 'Own Website', '46', 50e0, 'Corporate_SingleFuel', 0, 0, 0, 1, 0, 0),
    ('C00005', 181, '3-6m', 550, '1-2y', 'Residential', 'Office', '51', 4.6e0, 'Residential_SingleFuel', 0, 0, 1, 0, 0, 0),
    ('C00006', 15, '0-3m', 351, '6-12m', 'Residential', 'Office', '52', 4.6e0, 'Residential_SingleFuel', 0, 0, 1, 0, 1, 0),
    ('C00007', 32, '0-3m', 1460, '2-5y', 'Residential', 'Comparison Website', '46', 5.75e0, 'Residential_SingleFuel', 0, 0, 0, 0, 0, 0),
    ('C00008', -30, 'expired', 396, '1-2y', 'Residential', 'Unknown', '28', 3.45e0, 'Residential_SingleFuel', 1, 1, 0, 1, 0, 0),
    ('C00009', 121, '3-6m', 1705, '2-5y', 'Residential', 'Office', '08', 4.6e0, 'Residential_SingleFuel', 0, 0, 1, 0, 0, 0),
    -- Not the contract and the province of January.
    ('C00010', 74, '0-3m', 2497, '5y+', 'Residential', 'In-Person Commercial', '28', 4.6e0, 'Residential_SingleFuel', 0, 1, 1, 0, 0, 0),
    -- Newest start, then latest renewal, then the first channel; largest power, then the first province and flags.
    ('C00011', 1, '0-3m', 1095, '2-5y', 'Residential', 'Comparison Website', '28', 4.6e0, 'Residential_SingleFuel', 0, 1, 1, 0, 0, 0),
    ('C00012', 100, '3-6m', 730, '1-2y', 'Residential', 'Telemarketing', '28', 4.6e0, 'Residential_SingleFuel', 0, 1, 1, 0, 0, 1),
    -- An undated label is that of the batch.
    ('C00013', 670, '12m+', 1156, '2-5y', 'Residential', 'Office', '46', 4.6e0, 'Residential_SingleFuel', 0, 0, 0, 0, 0, 1),
    ('C00014', 151, '3-6m', 610, '1-2y', 'Residential', 'Unknown', '08', 4.6e0, 'Residential_SingleFuel', 0, 0, 1, 0, 0, null),
    ('C00017', null, 'unknown', null, 'unknown', 'Residential', 'Unknown', '28', 4.6e0, 'Residential_SingleFuel', 0, 1, 1, 0, 0, 0),
    ('C00019', 59, '0-3m', 1826, '2-5y', 'SME', 'Office', '46', 10e0, 'SME_SingleFuel', 0, 0, 1, 0, 0, 0)
),

actual as (
    select
        customer_id,
        cast(round(months_to_renewal * 30.44e0) as integer) as days_to_renewal,
        renewal_bucket,
        cast(round(tenure_months * 30.44e0) as integer) as tenure_days,
        tenure_bucket,
        segment,
        sales_channel,
        province_code,
        contracted_power_kw,
        portfolio_type,
        is_second_residence,
        is_high_competition_province,
        is_urban,
        is_expired_contract,
        is_high_risk_lifecycle,
        churn
    from {{ ref('gold_master') }}
    where as_of_date = date '2024-12-31'
)

{{ rows_that_differ(
    ['customer_id'],
    ['days_to_renewal', 'renewal_bucket', 'tenure_days', 'tenure_bucket', 'segment', 'sales_channel', 'province_code',
        'contracted_power_kw', 'portfolio_type', 'is_second_residence', 'is_high_competition_province', 'is_urban',
        'is_expired_contract', 'is_high_risk_lifecycle', 'churn']
) }}
