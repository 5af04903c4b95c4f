with

risks as (
    select * from {{ ref('mart_customer_risk') }}
),

offer_policy as (
    select * from {{ ref('offer_policy') }}
),

risk_tiers as (
    select * from {{ ref('risk_tiers') }}
),

rates as (
    select * from {{ ref('mart_offer_rate') }}
),

economics as (
    {{ offer_economics() }}
),

assignments as (
    select * from {{ ref('bronze_campaign_assignment') }}
),

-- Whoever takes part in a campaign, or has just taken part in one, gets no other offer.
busy as (
    {{ customers_in_campaigns() }}
),

tier_offers as (
    select
        risk_tier,
        offer,
        offer = 'no_offer' as is_low_risk,
        case when offer = 'no_offer' then 'contact_only' else offer end as contact_offer
    from offer_policy
),

-- By tier, the offer of the tier. By value, the best of that offer and of those that campaigns have measured in
-- the tier; whoever has none may be worth a call without one.
policies as (
    select
        risk_tier,
        'fixed_tiers' as policy,
        is_low_risk,
        offer,
        contact_offer as rated_offer
    from tier_offers
    union all
    select
        tier_offers.risk_tier,
        'expected_value' as policy,
        tier_offers.is_low_risk,
        rates.offer,
        rates.offer as rated_offer
    from tier_offers
    inner join rates
        on tier_offers.risk_tier = rates.risk_tier
    where rates.is_measured or rates.offer = tier_offers.contact_offer
),

-- The value is never clipped: a guardrail can only fire on what is left as it is.
valued as (
    select
        risks.customer_id,
        risks.as_of_date,
        risks.run_id,
        risks.churn_probability,
        risks.avg_monthly_margin_eur,
        risks.reason_1_code,
        policies.policy,
        busy.customer_id is not null as is_busy,
        risk_tiers.tier_rank,
        policies.is_low_risk,
        policies.offer,
        rates.monthly_margin_share * risks.avg_monthly_margin_eur as discount_eur_month,
        rates.monthly_margin_share * risks.avg_monthly_margin_eur * economics.offer_months as offer_budget_eur,
        economics.contact_cost_eur,
        {{ saved_margin('rates.save_probability') }} as expected_saved_margin_eur,
        {{ lost_margin() }} as expected_lost_margin_eur
    from risks
    inner join policies
        on risks.risk_tier = policies.risk_tier
    inner join rates
        on
            policies.risk_tier = rates.risk_tier
            and policies.rated_offer = rates.offer
    inner join risk_tiers
        on risks.risk_tier = risk_tiers.risk_tier
    cross join economics
    left join busy
        on risks.customer_id = busy.customer_id
),

netted as (
    select
        *,
        offer_budget_eur + contact_cost_eur as spend_eur,
        expected_saved_margin_eur - expected_lost_margin_eur - offer_budget_eur - contact_cost_eur
            as expected_net_value_eur
    from valued
),

chosen as (
    select
        *,
        row_number() over (
            partition by policy, customer_id
            order by expected_net_value_eur desc, offer asc
        ) as offer_rank
    from netted
),

judged as (
    select
        *,
        {{ offer_verdict('is_busy', first="when offer = 'no_offer' then 'low_risk'") }} as tier_verdict
    from chosen
    where offer_rank = 1
),

-- A low risk that is not worth a call is a low risk, and no offer withheld.
verdicts as (
    select
        *,
        case when is_low_risk and tier_verdict <> 'eligible' then 'low_risk' else tier_verdict end as verdict
    from judged
),

-- By value: what an euro spent brings, the most first, which fills a budget best. By tier: the highest
-- tier first and in it the likeliest to leave, as a team works through its list.
ranked as (
    select
        *,
        row_number() over (
            partition by policy, verdict
            order by expected_net_value_eur / greatest(spend_eur, 0.01e0) desc, customer_id asc
        ) as value_rank,
        row_number() over (
            partition by policy, verdict
            order by
                case when policy = 'expected_value' then 0 else tier_rank end desc,
                case
                    when policy = 'expected_value' then expected_net_value_eur / greatest(spend_eur, 0.01e0)
                    else churn_probability
                end desc,
                customer_id asc
        ) as policy_rank
    from verdicts
),

final as (
    select
        customer_id,
        as_of_date,
        run_id,
        policy,
        ---------- offer
        offer,
        verdict,
        discount_eur_month,
        offer_budget_eur,
        contact_cost_eur,
        ---------- value
        expected_saved_margin_eur,
        expected_net_value_eur,
        ---------- order
        case when verdict = 'eligible' then value_rank end as value_rank,
        case when verdict = 'eligible' then policy_rank end as policy_rank,
        case when verdict = 'eligible' then spend_eur end as spend_eur,
        case
            when verdict = 'eligible'
                then sum(spend_eur) over (
                    partition by policy, verdict
                    order by policy_rank
                    rows between unbounded preceding and current row
                )
        end as cumulative_spend_eur
    from ranked
)

select * from final
