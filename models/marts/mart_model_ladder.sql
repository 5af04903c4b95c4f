with

ladder as (
    select
        *,
        -- Run ids sort by time, and a ladder is climbed now and then: the newest is shown.
        max(run_id) over () as newest_run_id
    from {{ source('ml', 'model_ladder') }}
),

published as (
    select * from {{ ref('published_ladder') }}
),

final as (
    select
        ladder.run_id as ladder_run_id,
        ladder.as_of_date,
        ladder.model_version,
        ---------- cell
        ladder.experiment,
        ladder.model_kind,
        ladder.feature_count,
        ---------- test part
        ladder.test_pr_auc,
        ladder.test_pr_auc_ci_low,
        ladder.test_pr_auc_ci_high,
        ladder.test_roc_auc,
        ladder.test_roc_auc_ci_low,
        ladder.test_roc_auc_ci_high,
        ladder.test_count,
        ladder.test_churner_count,
        ---------- folds of the training part
        ladder.cv_pr_auc_mean,
        ladder.cv_pr_auc_sd,
        ladder.cv_roc_auc_mean,
        ladder.cv_roc_auc_sd,
        ladder.seconds,
        ---------- published
        published.published_pr_auc,
        published.published_roc_auc,
        ladder.test_pr_auc - published.published_pr_auc as pr_auc_difference,
        ladder.test_roc_auc - published.published_roc_auc as roc_auc_difference
    from ladder
    left join published
        on
            ladder.experiment = published.experiment
            and ladder.model_kind = published.model_kind
    where ladder.run_id = ladder.newest_run_id
)

select * from final
