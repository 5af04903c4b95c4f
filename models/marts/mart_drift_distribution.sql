with

distributions as (
    select * from {{ source('ml', 'drift_distribution') }}
    where run_id = {{ shown_run_id() }}
),

-- What matters most comes first: alarms, then what is to be watched.
subjects as (
    select
        *,
        row_number() over (
            order by
                case verdict when 'alarm' then 1 when 'watch' then 2 else 3 end,
                importance_rank,
                subject
        ) as subject_rank
    from {{ ref('mart_drift') }}
    where is_newest_run
),

final as (
    select
        distributions.subject as feature,
        distributions.bin_number,
        ---------- what was looked at
        subjects.run_id,
        subjects.as_of_date,
        subjects.reference_as_of_date,
        subjects.verdict,
        -- Among those with a distribution: all features together may rank first, and have none.
        dense_rank() over (order by subjects.subject_rank) as feature_rank,
        ---------- shares of the customers
        distributions.bin_label,
        distributions.reference_share,
        distributions.current_share
    from distributions
    inner join subjects
        on
            distributions.subject_kind = subjects.subject_kind
            and distributions.subject = subjects.subject
)

select * from final
