-- What each offer would cost and bring for each customer, and which of them the guardrails allow.
with

risks as (
    select * from {{ ref('mart_customer_risk') }}
),

rates as (
    select * from {{ ref('mart_offer_rate') }}
),

offer_policy as (
    select * from {{ ref('offer_policy') }}
),

economics as (
    select
        max(case when name = 'contact_cost_eur' then value end) as contact_cost_eur,
        coalesce(max(case when name = 'drive_away_probability' then value end), 0e0) as drive_away_probability,
        max(case when name = 'remaining_months' then value end) as remaining_months,
        max(case when name = 'offer_months' then value end) as offer_months
    from {{ ref('economics') }}
),

assignments as (
    select * from {{ ref('bronze_campaign_assignment') }}
),

-- Whoever takes part in a campaign, or has just taken part in one, gets no other offer.
busy as (
    select
        risks.customer_id,
        max(assignments.free_date) as free_date
    from risks
    inner join assignments
        on
            risks.customer_id = assignments.customer_id
            and risks.as_of_date < assignments.free_date
    group by risks.customer_id
),

valued as (
    select
        risks.customer_id,
        risks.as_of_date,
        risks.run_id,
        risks.model_version,
        risks.risk_tier,
        risks.churn_probability,
        risks.avg_monthly_margin_eur,
        risks.reason_1_code,
        risks.reasons,
        offer_policy.offer = 'no_offer' as is_low_risk,
        offer_policy.contact_after_days,
        offer_policy.contact_within_days,
        rates.offer,
        rates.save_probability,
        rates.save_probability_sd,
        risks.avg_monthly_margin_eur * economics.remaining_months as margin_at_stake_eur,
        rates.monthly_margin_share * risks.avg_monthly_margin_eur as discount_eur_month,
        rates.monthly_margin_share * risks.avg_monthly_margin_eur * economics.offer_months as offer_budget_eur,
        economics.contact_cost_eur,
        busy.free_date,
        (
            risks.churn_probability * rates.save_probability
            - (1 - risks.churn_probability) * economics.drive_away_probability
        )
        * risks.avg_monthly_margin_eur * economics.remaining_months as expected_kept_margin_eur
    from risks
    inner join rates
        on risks.risk_tier = rates.risk_tier
    inner join offer_policy
        on risks.risk_tier = offer_policy.risk_tier
    cross join economics
    left join busy
        on risks.customer_id = busy.customer_id
),

netted as (
    select
        *,
        offer_budget_eur + contact_cost_eur as spend_eur,
        expected_kept_margin_eur - offer_budget_eur - contact_cost_eur as expected_net_value_eur
    from valued
),

final as (
    select
        customer_id,
        offer,
        ---------- attributes
        as_of_date,
        run_id,
        model_version,
        risk_tier,
        is_low_risk,
        reasons,
        contact_after_days,
        contact_within_days,
        free_date,
        ---------- measures
        churn_probability,
        avg_monthly_margin_eur,
        margin_at_stake_eur,
        save_probability,
        save_probability_sd,
        discount_eur_month,
        offer_budget_eur,
        contact_cost_eur,
        spend_eur,
        expected_net_value_eur,
        ---------- guardrails
        case
            when free_date is not null then 'in_campaign'
            when not {{ is_finite('avg_monthly_margin_eur') }} then 'margin_unknown'
            when avg_monthly_margin_eur <= 0 then 'margin_not_positive'
            when not {{ is_finite('expected_net_value_eur') }} then 'value_unknown'
            when expected_net_value_eur < 0 then 'value_negative'
            when reason_1_code is null then 'no_reason'
            else 'eligible'
        end as verdict
    from netted
)

select * from final
