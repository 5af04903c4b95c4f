with

risks as (
    select * from {{ ref('mart_customer_risk') }}
),

offer_policy as (
    select * from {{ ref('offer_policy') }}
),

economics as (
    select
        max(case when name = 'contact_cost_eur' then value end) as contact_cost_eur,
        max(case when name = 'save_probability' then value end) as save_probability,
        max(case when name = 'remaining_months' then value end) as remaining_months,
        max(case when name = 'offer_months' then value end) as offer_months
    from {{ ref('economics') }}
),

-- The value is never clipped: a guardrail can only fire on what is left as it is.
valued as (
    select
        risks.*,
        offer_policy.offer as policy_offer,
        offer_policy.contact_after_days,
        offer_policy.contact_within_days,
        offer_policy.timing,
        economics.contact_cost_eur,
        offer_policy.monthly_margin_share * risks.avg_monthly_margin_eur as policy_discount_eur_month,
        economics.offer_months,
        risks.churn_probability * economics.save_probability
        * risks.avg_monthly_margin_eur * economics.remaining_months as expected_saved_margin_eur
    from risks
    inner join offer_policy
        on risks.risk_tier = offer_policy.risk_tier
    cross join economics
),

netted as (
    select
        *,
        expected_saved_margin_eur - policy_discount_eur_month * offer_months - contact_cost_eur
            as expected_net_value_eur
    from valued
),

decided as (
    select
        *,
        case
            when policy_offer = 'no_offer' then 'low_risk'
            when not {{ is_finite('avg_monthly_margin_eur') }} then 'margin_unknown'
            when avg_monthly_margin_eur <= 0 then 'margin_not_positive'
            when not {{ is_finite('expected_net_value_eur') }} then 'value_unknown'
            when expected_net_value_eur < 0 then 'value_negative'
            when reason_1_code is null then 'no_reason'
            else 'offered'
        end as decision
    from netted
),

final as (
    select
        customer_id,
        as_of_date,
        run_id,
        model_version,
        ---------- risk
        risk_tier,
        churn_probability,
        avg_monthly_margin_eur,
        expected_monthly_loss_eur,
        ---------- offer
        case when decision = 'offered' then policy_offer else 'no_offer' end as offer,
        decision,
        case when decision = 'offered' then policy_discount_eur_month else 0e0 end as discount_eur_month,
        case when decision = 'offered' then policy_discount_eur_month * offer_months else 0e0 end as offer_budget_eur,
        case when decision = 'offered' then contact_cost_eur else 0e0 end as contact_cost_eur,
        expected_net_value_eur,
        ---------- timing
        case when decision in ('offered', 'low_risk') then contact_after_days end as contact_after_days,
        case when decision in ('offered', 'low_risk') then contact_within_days end as contact_within_days,
        case when decision in ('offered', 'low_risk') then timing else 'no contact' end as timing,
        ---------- reasons
        reason_1_code,
        reason_2_code,
        reason_3_code,
        reasons
    from decided
)

select * from final
