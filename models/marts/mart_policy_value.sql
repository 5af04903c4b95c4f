with

scores as (
    select distinct
        model_version,
        as_of_date
    from {{ source('ml', 'customer_score') }}
    where run_id = {{ shown_run_id() }}
),

evaluations as (
    {{ newest_evaluations() }}
),

policy_values as (
    select policy.* from {{ source('ml', 'policy_value') }} as policy
    inner join evaluations
        on policy.model_version = evaluations.model_version and policy.run_id = evaluations.run_id
),

final as (
    select
        {{ shown_run_id() }} as run_id,
        scores.as_of_date,
        scores.model_version,
        policy_values.run_id as evaluation_run_id,
        ---------- what is compared
        policy_values.feature_set,
        policy_values.policy,
        {{ shown_policy('policy_values.policy') }} as policy_name,
        policy_values.basis,
        ---------- counts
        policy_values.customer_count,
        policy_values.contacted_count,
        policy_values.contacted_churner_count,
        ---------- profit
        policy_values.profit_eur,
        policy_values.ci_low,
        policy_values.ci_high,
        policy_values.difference_eur,
        policy_values.difference_ci_low,
        policy_values.difference_ci_high
    from policy_values
    inner join scores
        on policy_values.model_version = scores.model_version
)

select * from final
