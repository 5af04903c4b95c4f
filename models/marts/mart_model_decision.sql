with

decisions as (
    select * from {{ source('ml', 'model_decision') }}
    where run_id = {{ shown_run_id() }}
),

champion as (
    select distinct model_version
    from {{ source('ml', 'customer_score') }}
    where run_id = {{ shown_run_id() }}
),

final as (
    select
        decisions.model_version,
        decisions.decision_number,
        decisions.run_id,
        ---------- decision
        decisions.action,
        decisions.status,
        decisions.reason,
        decisions.decided_by,
        decisions.evidence,
        ---------- flags
        row_number() over (
            partition by decisions.model_version
            order by decisions.decision_number desc
        ) = 1 as is_latest,
        champion.model_version is not null as is_champion,
        ---------- dates
        decisions.decided_at
    from decisions
    left join champion
        on decisions.model_version = champion.model_version
)

select * from final
