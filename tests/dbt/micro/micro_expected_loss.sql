-- The loss is 0 where the margin is not positive, and null where it is not known.
with

customers (customer_id, churn_probability, margin_eur, expected_eur) as (
    values
    ('C00001', 0.5e0, 30e0, 15e0),
    ('C00002', 0.5e0, 0.5e0, 0.25e0),
    ('C00003', 0.5e0, 0e0, 0e0),
    ('C00004', 0.5e0, -30e0, 0e0),
    ('C00005', 0.5e0, cast(null as double), cast(null as double)),
    ('C00006', 0.5e0, cast('NaN' as double), cast(null as double))
),

expected as (
    select
        customer_id,
        expected_eur as loss_eur
    from customers
),

actual as (
    select
        customer_id,
        {{ expected_loss('churn_probability', 'margin_eur') }} as loss_eur
    from customers
)

{{ rows_that_differ(['customer_id'], ['loss_eur']) }}
