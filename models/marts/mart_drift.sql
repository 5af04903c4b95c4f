with

results as (
    select * from {{ source('ml', 'drift_result') }}
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
        case when reference_as_of_date = as_of_date then 'not measured' else verdict end as verdict,
        note
    from results
)

select * from final
