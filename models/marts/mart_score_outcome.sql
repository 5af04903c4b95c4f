{% set dimensions = {
    'all customers': "'all'",
    'risk tier': 'risk_tier',
} %}
with

failed as (
    select run_id from {{ source('ml', 'pipeline_run') }}
    where status = 'failed'
),

-- Of several runs on one date the last counts that was published by then.
runs as (
    select
        scored.as_of_date,
        max(scored.run_id) as run_id
    from {{ source('ml', 'customer_score') }} as scored
    left join failed
        on scored.run_id = failed.run_id
    where scored.run_id <= {{ shown_run_id() }} and failed.run_id is null
    group by scored.as_of_date
),

scores as (
    select scored.*
    from {{ source('ml', 'customer_score') }} as scored
    inner join runs
        on scored.run_id = runs.run_id
),

labels as (
    select * from {{ ref('bronze_churn_label') }}
),

label_dates as (
    select * from {{ ref('bronze_label_date') }}
    where is_matured
),

-- Whoever was contacted within the horizon did not leave, or stay, as the score meant it.
campaigns as (
    select
        assignments.customer_id,
        label_dates.label_date,
        max(case when assignments.is_treated then 1 else 0 end) = 1 as was_contacted,
        min(assignments.control_propensity) as control_propensity
    from {{ ref('bronze_campaign_assignment') }} as assignments
    inner join label_dates
        on
            assignments.as_of_date < label_dates.matured_date
            and assignments.outcome_date > label_dates.label_date
    group by assignments.customer_id, label_dates.label_date
),

known as (
    select
        scores.as_of_date,
        scores.run_id,
        scores.model_version,
        scores.risk_tier,
        scores.churn_probability,
        labels.churn,
        label_dates.matured_date,
        -- The control group stands for those who were contacted.
        case when campaigns.control_propensity > 0 then 1e0 / campaigns.control_propensity else 1e0 end as weight
    from scores
    inner join labels
        on
            scores.customer_id = labels.customer_id
            and scores.as_of_date = labels.label_date
    inner join label_dates
        on scores.as_of_date = label_dates.label_date
    left join campaigns
        on
            scores.customer_id = campaigns.customer_id
            and scores.as_of_date = campaigns.label_date
    where not coalesce(campaigns.was_contacted, false)
),

groups as (
    {% for dimension, expression in dimensions.items() %}
    select
        as_of_date,
        run_id,
        model_version,
        matured_date,
        '{{ dimension }}' as dimension,
        {{ expression }} as group_name,
        churn_probability,
        churn,
        weight
    from known
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

sums as (
    select
        as_of_date,
        dimension,
        group_name,
        max(run_id) as scored_run_id,
        max(model_version) as model_version,
        max(matured_date) as matured_date,
        count(*) as customer_count,
        cast(sum(churn) as bigint) as churner_count,
        sum(weight * churn_probability) as expected_count,
        sum(weight * churn) as observed_count,
        sqrt(sum(weight * weight * churn_probability * (1e0 - churn_probability))) as standard_error
    from groups
    group by as_of_date, dimension, group_name
),

final as (
    select
        as_of_date,
        dimension,
        group_name,
        ---------- origin
        scored_run_id,
        model_version,
        matured_date,
        as_of_date = max(as_of_date) over () as is_newest,
        ---------- counts
        customer_count,
        churner_count,
        round(expected_count, 6) as expected_count,
        round(observed_count, 6) as observed_count,
        ---------- observed over expected
        round(observed_count / nullif(expected_count, 0), 6) as ratio,
        round(greatest(0e0, (observed_count - 1.959964e0 * standard_error) / nullif(expected_count, 0)), 6)
            as ratio_low,
        round((observed_count + 1.959964e0 * standard_error) / nullif(expected_count, 0), 6) as ratio_high,
        -- An alarm needs a deviation that matters and that chance does not explain.
        coalesce(
            abs(observed_count - expected_count) > 0.1e0 * expected_count
            and abs(observed_count - expected_count) > 2.575829e0 * standard_error, false
        ) as is_off
    from sums
)

select * from final
