-- Runs up to the published one; those that failed were never shown.
with

expected (run_id, run_number, is_current, customer_count, at_risk_count, expected_monthly_loss_eur, previous_expected_monthly_loss_eur) as (
    values
    -- Half the probabilities, a margin of 10 each: 10 × 0.5 × 4.748.
    ('20250101T060000-aaaaaa', 1, false, 16, 2, 23.74e0, cast(null as double)),
    ('20250201T060000-bbbbbb', 2, true, 16, 6, 47.48e0, 23.74e0)
),

actual as (
    select * from {{ ref('mart_run_trend') }}
)

{{ rows_that_differ(
    ['run_id'],
    ['run_number', 'is_current', 'customer_count', 'at_risk_count', 'expected_monthly_loss_eur',
        'previous_expected_monthly_loss_eur']
) }}
