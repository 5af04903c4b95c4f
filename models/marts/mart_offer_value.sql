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
    {{ offer_economics() }}
),

newest_rates as (
    {{ newest_learning() }}
),

customer_rates as (
    {{ rates_by_customer() }}
),

assignments as (
    select * from {{ ref('bronze_campaign_assignment') }}
),

-- Whoever takes part in a campaign, or has just taken part in one, gets no other offer.
busy as (
    {{ customers_in_campaigns() }}
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
        coalesce(customer_rates.save_probability, rates.save_probability) as save_probability,
        rates.save_probability_sd,
        risks.avg_monthly_margin_eur * risks.saved_value_months as margin_at_stake_eur,
        rates.monthly_margin_share * risks.avg_monthly_margin_eur as discount_eur_month,
        rates.monthly_margin_share * risks.avg_monthly_margin_eur * economics.offer_months as offer_budget_eur,
        economics.contact_cost_eur,
        busy.free_date,
        {{ saved_margin('coalesce(customer_rates.save_probability, rates.save_probability)') }}
            as expected_saved_margin_eur,
        {{ lost_margin() }} as expected_lost_margin_eur
    from risks
    inner join rates
        on risks.risk_tier = rates.risk_tier
    inner join offer_policy
        on risks.risk_tier = offer_policy.risk_tier
    cross join economics
    left join busy
        on risks.customer_id = busy.customer_id
    left join customer_rates
        on
            risks.customer_id = customer_rates.customer_id
            and rates.offer = customer_rates.offer
),

netted as (
    select
        *,
        offer_budget_eur + contact_cost_eur as spend_eur,
        expected_saved_margin_eur - expected_lost_margin_eur - offer_budget_eur - contact_cost_eur
            as expected_net_value_eur
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
        {{ offer_verdict('free_date is not null') }} as verdict
    from netted
)

select * from final
