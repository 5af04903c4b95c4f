with

scores as (
    select distinct
        model_version,
        as_of_date
    from {{ source('ml', 'customer_score') }}
    where run_id = {{ shown_run_id() }}
),

findings as (
    select * from {{ source('ml', 'leakage_audit') }}
),

-- The newest evaluation of a version says what is accepted.
evaluations as (
    {{ newest_evaluations() }}
),

alarms as (
    select alarm.* from {{ source('ml', 'leakage_alarm') }} as alarm
    inner join evaluations
        on alarm.model_version = evaluations.model_version and alarm.run_id = evaluations.run_id
),

final as (
    select
        {{ shown_run_id() }} as run_id,
        scores.as_of_date,
        scores.model_version,
        findings.run_id as training_run_id,
        ---------- what was looked at
        findings.check_kind,
        findings.subject,
        findings.group_name,
        findings.tier,
        ---------- values
        findings.observed_value,
        findings.ci_low,
        findings.ci_high,
        findings.limit_value,
        findings.customer_count,
        findings.churner_count,
        findings.detail,
        ---------- alarm
        findings.alarm,
        findings.alarm is not null as is_alarm,
        case when findings.alarm is not null then coalesce(alarms.is_accepted, false) end as is_accepted,
        alarms.reason as accepted_reason,
        alarms.author as accepted_by,
        alarms.accepted_on
    from findings
    inner join scores
        on findings.model_version = scores.model_version
    left join alarms
        on
            findings.model_version = alarms.model_version
            and findings.alarm = alarms.alarm
)

select * from final
