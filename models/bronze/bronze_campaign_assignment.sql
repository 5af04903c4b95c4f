with

assignments as (
    select * from {{ source('ml', 'campaign_assignment') }}
),

-- A stop may have been recorded twice; the first one counts.
stops as (
    select
        campaign,
        min(stopped_on) as stopped_on
    from {{ source('ml', 'campaign_stop') }}
    group by campaign
),

final as (
    select
        assignments.campaign,
        assignments.customer_id,
        ---------- attributes
        assignments.arm,
        assignments.arm <> 'control' as is_treated,
        assignments.stratum,
        assignments.risk_tier,
        assignments.policy,
        assignments.reasons,
        assignments.model_version,
        assignments.scored_run_id,
        ---------- measures
        assignments.propensity,
        assignments.control_propensity,
        assignments.churn_probability,
        assignments.avg_monthly_margin_eur,
        assignments.margin_at_stake_eur,
        assignments.discount_eur_month,
        assignments.offer_budget_eur,
        assignments.contact_cost_eur,
        assignments.expected_net_value_eur,
        assignments.budget_eur,
        ---------- dates
        assignments.as_of_date,
        assignments.contact_from_date,
        assignments.contact_until_date,
        assignments.outcome_date,
        assignments.free_date,
        stops.stopped_on
    from assignments
    left join stops
        on assignments.campaign = stops.campaign
)

select * from final
