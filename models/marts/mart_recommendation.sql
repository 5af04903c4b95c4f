with

risks as (
    select * from {{ ref('mart_customer_risk') }}
),

candidates as (
    select * from {{ ref('mart_offer_candidate') }}
),

offer_policy as (
    select * from {{ ref('offer_policy') }}
),

campaign as (
    select * from {{ ref('offer_campaign') }}
),

assignments as (
    select * from {{ ref('bronze_campaign_assignment') }}
),

current_campaigns as (
    {{ customers_in_campaigns() }}
),

judged as (
    select
        candidates.*,
        case
            when candidates.verdict <> 'eligible' then candidates.verdict
            when candidates.cumulative_spend_eur > campaign.budget_eur then 'over_budget'
            else 'offered'
        end as decision
    from candidates
    inner join campaign
        on candidates.policy = campaign.policy
),

made as (
    select
        *,
        case when decision = 'offered' then offer else 'no_offer' end as offer_made
    from judged
),

final as (
    select
        risks.customer_id,
        risks.as_of_date,
        risks.run_id,
        risks.model_version,
        ---------- risk
        risks.risk_tier,
        risks.churn_probability,
        risks.avg_monthly_margin_eur,
        risks.expected_monthly_loss_eur,
        ---------- offer
        made.policy,
        made.offer_made as offer,
        {{ shown_offer('made.offer_made') }} as offer_name,
        made.decision,
        {{ shown_decision('made.decision') }} as decision_name,
        case
            when made.decision = 'offered' then {{ shown_offer('made.offer_made') }}
            else {{ shown_decision('made.decision') }}
        end as action_name,
        case when made.decision = 'offered' then made.discount_eur_month else 0e0 end as discount_eur_month,
        case when made.decision = 'offered' then made.offer_budget_eur else 0e0 end as offer_budget_eur,
        case when made.decision = 'offered' then made.contact_cost_eur else 0e0 end as contact_cost_eur,
        case when made.decision = 'offered' then made.expected_saved_margin_eur else 0e0 end
            as expected_saved_margin_eur,
        made.expected_net_value_eur,
        made.value_rank,
        ---------- campaign that the customer takes part in, or whose cool-down is not over
        current_campaigns.current_campaign,
        current_campaigns.current_arm,
        {{ shown_offer('current_campaigns.current_arm') }} as current_arm_name,
        ---------- timing
        case when made.decision in ('offered', 'low_risk') then offer_policy.contact_after_days end
            as contact_after_days,
        case when made.decision in ('offered', 'low_risk') then offer_policy.contact_within_days end
            as contact_within_days,
        case when made.decision in ('offered', 'low_risk') then offer_policy.timing else 'no contact' end as timing,
        ---------- reasons
        risks.reason_1_code,
        risks.reason_2_code,
        risks.reason_3_code,
        risks.reasons
    from risks
    inner join made
        on risks.customer_id = made.customer_id
    inner join offer_policy
        on risks.risk_tier = offer_policy.risk_tier
    left join current_campaigns
        on risks.customer_id = current_campaigns.customer_id
)

select * from final
