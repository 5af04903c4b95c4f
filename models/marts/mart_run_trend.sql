with

tiers as (
    select * from {{ ref('risk_tiers') }}
),

failed as (
    select run_id from {{ source('ml', 'pipeline_run') }}
    where status = 'failed'
),

-- Run ids sort by time. A later run is none of this run's business, for example when it is repeated;
-- and nobody has seen what a run scored that failed later.
scores as (
    select
        scored.*,
        tiers.is_at_risk,
        {{ expected_loss('scored.churn_probability', 'scored.avg_monthly_margin_eur') }} as expected_monthly_loss_eur
    from {{ source('ml', 'customer_score') }} as scored
    left join tiers
        on scored.risk_tier = tiers.risk_tier
    left join failed
        on scored.run_id = failed.run_id
    where scored.run_id <= {{ shown_run_id() }} and failed.run_id is null
),

runs as (
    select
        run_id,
        max(as_of_date) as as_of_date,
        max(model_version) as model_version,
        count(*) as customer_count,
        count(case when is_at_risk then 1 end) as at_risk_count,
        round({{ exact_mean('churn_probability', digits=9) }}, 6) as mean_churn_probability,
        round({{ exact_sum('expected_monthly_loss_eur') }}, 2) as expected_monthly_loss_eur
    from scores
    group by run_id
),

final as (
    select
        run_id,
        as_of_date,
        model_version,
        cast(row_number() over (order by run_id) as integer) as run_number,
        run_id = {{ shown_run_id() }} as is_current,
        ---------- figures
        customer_count,
        at_risk_count,
        mean_churn_probability,
        expected_monthly_loss_eur,
        ---------- of the run before
        lag(customer_count) over (order by run_id) as previous_customer_count,
        lag(at_risk_count) over (order by run_id) as previous_at_risk_count,
        lag(mean_churn_probability) over (order by run_id) as previous_mean_churn_probability,
        lag(expected_monthly_loss_eur) over (order by run_id) as previous_expected_monthly_loss_eur,
        lag(as_of_date) over (order by run_id) as previous_as_of_date
    from runs
)

select * from final
