-- The published run is shown, not the later ones that failed, scored nothing, or go on.
with

expected (customer_id, run_id, model_version, churn_probability, risk_tier, is_flagged, expected_monthly_loss_eur, reason_codes) as (
    values
    -- 0.95 × 13.8083. What one can act on goes first; a hundredth of the strongest is not told.
    ('C00001', '20250201T060000-bbbbbb', 'm-2', 0.95e0, 'Critical', true, 13.117885e0, 'INTENT_CANCEL RENEWAL_DUE TENURE_LONG'),
    ('C00002', '20250201T060000-bbbbbb', 'm-2', 0.8e0, 'Critical', true, 20.062667e0, 'INTENT_COMPLAINT TENURE_SHORT'),
    ('C00003', '20250201T060000-bbbbbb', 'm-2', 0.6e0, 'High', true, 8.08e0, 'SEGMENT_SME RENEWAL_FAR'),
    -- Nothing is lost with who brings nothing.
    ('C00004', '20250201T060000-bbbbbb', 'm-2', 0.79e0, 'High', true, 0e0, 'RENEWAL_EXPIRED MARGIN_LOSS_MONTH'),
    ('C00007', '20250201T060000-bbbbbb', 'm-2', 0.399e0, 'Low', false, 1.2768e0, 'CHANNEL_DIGITAL'),
    -- Without readings, the margin is not known.
    ('C00008', '20250201T060000-bbbbbb', 'm-2', 0.02e0, 'Low', false, null, ''),
    ('C00009', '20250201T060000-bbbbbb', 'm-2', 0.02e0, 'Low', false, 0.058e0, '')
),

actual as (
    select
        risks.customer_id,
        risks.run_id,
        risks.model_version,
        risks.churn_probability,
        risks.risk_tier,
        risks.is_flagged,
        round(risks.expected_monthly_loss_eur, 6) as expected_monthly_loss_eur,
        coalesce(risks.reason_1_code, '') || coalesce(' ' || risks.reason_2_code, '')
        || coalesce(' ' || risks.reason_3_code, '') as reason_codes
    from {{ ref('mart_customer_risk') }} as risks
    inner join expected
        on risks.customer_id = expected.customer_id
)

{{ rows_that_differ(
    ['customer_id'],
    ['run_id', 'model_version', 'churn_probability', 'risk_tier', 'is_flagged', 'expected_monthly_loss_eur',
        'reason_codes']
) }}
