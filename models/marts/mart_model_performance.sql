with

scores as (
    select distinct
        model_version,
        as_of_date
    from {{ source('ml', 'customer_score') }}
    where run_id = {{ shown_run_id() }}
),

-- A run that only scores shows the figures that its model has from an earlier run.
evaluations as (
    {{ newest_evaluations() }}
),

metrics as (
    select metric.* from {{ source('ml', 'model_metric') }} as metric
    inner join evaluations
        on metric.model_version = evaluations.model_version and metric.run_id = evaluations.run_id
),

curves as (
    select curve.* from {{ source('ml', 'model_curve') }} as curve
    inner join evaluations
        on curve.model_version = evaluations.model_version and curve.run_id = evaluations.run_id
),

gate as (
    select gate.* from {{ source('ml', 'model_gate') }} as gate
    inner join evaluations
        on gate.model_version = evaluations.model_version and gate.run_id = evaluations.run_id
),

trained as (
    select
        model_version,
        max(as_of_date) as training_as_of_date
    from metrics
    group by model_version
),

measures as (
    select
        model_version,
        run_id as evaluation_run_id,
        'metric' as measure_kind,
        feature_set,
        slice_dimension,
        slice_value,
        metric as measure,
        0 as point,
        cast(null as double) as x,
        metric_value as measure_value,
        ci_low,
        ci_high,
        cast(null as double) as threshold,
        cast(null as boolean) as is_passed,
        cast(null as varchar) as detail,
        customer_count,
        churner_count
    from metrics
    union all
    select
        model_version,
        run_id as evaluation_run_id,
        'curve' as measure_kind,
        feature_set,
        'overall' as slice_dimension,
        'overall' as slice_value,
        curve as measure,
        point,
        x,
        y as measure_value,
        y_low as ci_low,
        y_high as ci_high,
        threshold,
        cast(null as boolean) as is_passed,
        cast(null as varchar) as detail,
        customer_count,
        cast(null as bigint) as churner_count
    from curves
    union all
    select
        model_version,
        run_id as evaluation_run_id,
        'gate' as measure_kind,
        'champion' as feature_set,
        'overall' as slice_dimension,
        'overall' as slice_value,
        check_name as measure,
        0 as point,
        cast(null as double) as x,
        observed_value as measure_value,
        cast(null as double) as ci_low,
        cast(null as double) as ci_high,
        limit_value as threshold,
        is_passed,
        detail,
        cast(null as bigint) as customer_count,
        cast(null as bigint) as churner_count
    from gate
),

final as (
    select
        {{ shown_run_id() }} as run_id,
        scores.as_of_date,
        trained.training_as_of_date,
        scores.model_version,
        measures.evaluation_run_id,
        ---------- what is measured
        measures.measure_kind,
        measures.feature_set,
        measures.slice_dimension,
        measures.slice_value,
        measures.measure,
        measures.point,
        ---------- values
        measures.x,
        measures.measure_value,
        measures.ci_low,
        measures.ci_high,
        measures.threshold,
        measures.is_passed,
        measures.detail,
        ---------- counts
        measures.customer_count,
        measures.churner_count
    from measures
    inner join scores
        on measures.model_version = scores.model_version
    left join trained
        on measures.model_version = trained.model_version
)

select * from final
