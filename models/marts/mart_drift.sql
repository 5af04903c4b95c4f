with

results as (
    select * from {{ source('ml', 'drift_result') }}
),

judged as (
    select
        *,
        case when reference_as_of_date = as_of_date then 'not measured' else verdict end as told_verdict
    from results
),

final as (
    select
        run_id,
        as_of_date,
        reference_run_id,
        reference_as_of_date,
        model_version,
        run_id = {{ shown_run_id() }} as is_newest_run,
        ---------- what was looked at
        subject_kind,
        subject,
        tier,
        importance_share,
        importance_rank,
        ---------- against the reference as it was
        statistic_name,
        distance,
        psi,
        p_value,
        ---------- against what the calendar makes of it
        expected_distance,
        expected_psi,
        p_value_adjusted,
        ---------- samples
        reference_count,
        current_count,
        reference_mean,
        current_mean,
        ---------- verdict
        is_alarm,
        is_alarm_plain,
        told_verdict as verdict,
        note,
        case
            when told_verdict = 'not measured' then 'None: the model was trained on this date'
            when told_verdict = 'watch' then 'None yet: look again after the next run'
            when told_verdict = 'calendar' then 'None: time or season explains the change'
            when told_verdict = 'stable' then 'None'
            when subject_kind = 'label'
                then 'Customers leave at another rate than in training: train again (spanishgas run)'
            when subject_kind = 'prediction'
                then 'Scores have moved: look at the features in alarm, then train again (spanishgas run)'
            when subject_kind = 'missing_values'
                then
                    'Look for what no longer arrives. If the source is wrong, fix it and run again; if the values'
                    || ' will stay missing, train again (spanishgas run)'
            when subject_kind = 'dependence'
                then
                    'Rows are ' || note || '. Values may have changed hands between customers (a join, an order of'
                    || ' rows). If the source is right, train again (spanishgas run)'
            when subject_kind = 'category_feature'
                then
                    'Look for new or renamed values. If the source is wrong, fix it and run again;'
                    || ' if customers have changed, train again (spanishgas run)'
            else
                'Compare the values then and now. If the source is wrong, fix it and run again;'
                || ' if customers have changed, train again (spanishgas run)'
        end as next_step
    from judged
)

select * from final
