-- The effect of each campaign at each look, by arm and risk tier. Of two runs with one look the newer one counts.
with

effects as (
    select * from {{ source('ml', 'campaign_effect') }}
),

assignments as (
    select distinct
        campaign,
        as_of_date
    from {{ ref('bronze_campaign_assignment') }}
),

newest as (
    select
        campaign,
        look_date,
        max(run_id) as run_id
    from effects
    group by campaign, look_date
),

final as (
    select
        effects.campaign,
        effects.arm,
        effects.risk_tier,
        effects.look_date,
        ---------- attributes
        effects.verdict,
        effects.reason,
        effects.as_of_date,
        effects.horizon_share,
        effects.is_final,
        effects.look_date = max(effects.look_date) over (partition by effects.campaign) as is_newest,
        ---------- counts
        effects.treated_count,
        effects.control_count,
        effects.outcome_count,
        effects.reached_count,
        effects.called_control_count,
        ---------- effect
        effects.treated_churn_share,
        effects.control_churn_share,
        effects.churn_reduction,
        effects.churn_reduction_low,
        effects.churn_reduction_high,
        effects.save_share,
        effects.save_share_low,
        effects.save_share_high,
        effects.complier_reduction,
        effects.complier_reduction_low,
        effects.complier_reduction_high,
        effects.drive_away_share,
        effects.drive_away_share_low,
        effects.drive_away_share_high,
        ---------- money
        effects.margin_saved_eur,
        effects.margin_saved_eur_low,
        effects.margin_saved_eur_high,
        effects.cost_eur,
        effects.planned_cost_eur,
        effects.margin_saved_eur - effects.cost_eur as net_value_eur,
        effects.break_even_share,
        ---------- soundness
        effects.draw_p_value
    from effects
    inner join newest
        on
            effects.campaign = newest.campaign
            and effects.look_date = newest.look_date
            and effects.run_id = newest.run_id
    inner join assignments
        on
            effects.campaign = assignments.campaign
            and effects.as_of_date = assignments.as_of_date
)

select * from final
