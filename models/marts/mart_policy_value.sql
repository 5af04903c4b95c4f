with

scores as (
    select distinct
        model_version,
        as_of_date
    from {{ source('ml', 'customer_score') }}
    where run_id = '{{ var("run_id") }}'
),

policy_values as (
    select
        *,
        -- Run ids sort by time: the newest evaluation of a version is shown.
        max(run_id) over (partition by model_version) as newest_run_id
    from {{ source('ml', 'policy_value') }}
),

final as (
    select
        '{{ var("run_id") }}' as run_id,
        scores.as_of_date,
        scores.model_version,
        policy_values.run_id as evaluation_run_id,
        ---------- what is compared
        policy_values.feature_set,
        policy_values.policy,
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
    where policy_values.run_id = policy_values.newest_run_id
)

select * from final
