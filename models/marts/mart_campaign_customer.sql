-- Who takes part in which campaign, in which arm, what was done and what became of it.
with

customers as (
    select * from {{ ref('silver_campaign_customer') }}
),

final as (
    select
        campaign,
        customer_id,
        ---------- attributes
        arm,
        case arm
            when 'control' then 'Control group: do not contact'
            when 'contact_only' then 'Contact without a discount'
            else upper(substr(replace(arm, 'offer_', ''), 1, 1)) || substr(replace(arm, 'offer_', ''), 2) || ' discount'
        end as arm_name,
        is_treated,
        stratum,
        risk_tier,
        reasons,
        contact_outcome,
        offer_made,
        ---------- measures
        propensity,
        control_propensity,
        churn_probability,
        avg_monthly_margin_eur,
        margin_at_stake_eur,
        discount_eur_month,
        offer_budget_eur,
        contact_cost_eur,
        expected_net_value_eur,
        cost_eur,
        contact_count,
        early_contact_count,
        ---------- outcome
        churn,
        horizon_share,
        ---------- dates
        as_of_date,
        contact_from_date,
        contact_until_date,
        outcome_date,
        free_date,
        stopped_on,
        look_date,
        first_contact_date,
        ---------- flags
        is_matured,
        is_contacted,
        is_reached
    from customers
)

select * from final
