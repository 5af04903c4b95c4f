-- The headline of the published run.
with

expected (run_id, customer_count, at_risk_count, flagged_count, mean_churn_probability, test_pr_auc, test_pr_auc_without_text, test_ece, gate_check_count, gate_passed_count) as (
    values ('20250201T060000-bbbbbb', 16, 6, 5, 0.29675e0, 0.7e0, 0.5e0, 0.01e0, 2, 2)
),

actual as (
    select * from {{ ref('mart_overview') }}
)

{{ rows_that_differ(
    ['run_id'],
    ['customer_count', 'at_risk_count', 'flagged_count',
        'mean_churn_probability', 'test_pr_auc', 'test_pr_auc_without_text', 'test_ece', 'gate_check_count',
        'gate_passed_count']
) }}
