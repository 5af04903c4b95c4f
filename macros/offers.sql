{#
What offers rest on, for the marts that value, choose and show them. Each is a part of a statement with the
CTEs `risks` (mart_customer_risk), `economics` and `assignments` (bronze_campaign_assignment).
#}

{# Assumptions of the seed economics by name, one row. #}
{% macro economic_assumptions(names) -%}
    select
        {% for name in names -%}
        max(case when name = '{{ name }}' then value end) as {{ name }}{{ ',' if not loop.last }}
        {% endfor -%}
    from {{ ref('economics') }}
{%- endmacro %}

{# The assumptions that offers rest on, one row. #}
{% macro offer_economics() -%}
    select
        max(case when name = 'contact_cost_eur' then value end) as contact_cost_eur,
        coalesce(max(case when name = 'drive_away_probability' then value end), 0e0) as drive_away_probability,
        max(case when name = 'offer_months' then value end) as offer_months
    from {{ ref('economics') }}
{%- endmacro %}

{# Whoever takes part in a campaign, or has just taken part in one; nobody takes part in two at a time. #}
{% macro customers_in_campaigns() -%}
    select
        risks.customer_id,
        max(assignments.campaign) as current_campaign,
        max(assignments.arm) as current_arm,
        max(assignments.free_date) as free_date
    from risks
    inner join assignments
        on
            risks.customer_id = assignments.customer_id
            and risks.as_of_date < assignments.free_date
    group by risks.customer_id
{%- endmacro %}

{# The run that has learned last. #}
{% macro newest_learning() -%}
    select max(run_id) as run_id
    from {{ source('ml', 'offer_save_rate') }}
{%- endmacro %}

{# Shares saved by customer, where the newest learning (the CTE `newest_rates`) uses them. #}
{% macro rates_by_customer() -%}
    select
        by_customer.customer_id,
        by_customer.offer,
        by_customer.save_probability
    from {{ source('ml', 'customer_save_rate') }} as by_customer
    inner join newest_rates
        on by_customer.run_id = newest_rates.run_id
{%- endmacro %}

{# Margin that an offer is expected to save, by a share saved. #}
{% macro saved_margin(save_probability) -%}
    risks.churn_probability * {{ save_probability }}
    * risks.avg_monthly_margin_eur * risks.saved_value_months
{%- endmacro %}

{# Margin that a call is expected to lose: it reminds a customer who would have stayed that one can leave. #}
{% macro lost_margin() -%}
    (1 - risks.churn_probability) * economics.drive_away_probability
    * risks.avg_monthly_margin_eur * risks.stayer_value_months
{%- endmacro %}

{#
The first rule that forbids an offer, or eligible.

is_busy: condition that the customer takes part in a campaign.
first: branches that come before.
#}
{% macro offer_verdict(is_busy, first='') -%}
    case
        {{ first }}
        when {{ is_busy }} then 'in_campaign'
        when not {{ is_finite('avg_monthly_margin_eur') }} then 'margin_unknown'
        when avg_monthly_margin_eur <= 0 then 'margin_not_positive'
        when not {{ is_finite('expected_net_value_eur') }} then 'value_unknown'
        when expected_net_value_eur < 0 then 'value_negative'
        when reason_1_code is null then 'no_reason'
        else 'eligible'
    end
{%- endmacro %}

{#
What each policy would offer each customer, as the CTE `candidates`, after the CTEs of the head and `rates`,
`offer_policy` and `risk_tiers`.

supposed: a CTE with the column supposed_rate, a save probability that takes the place of all that are known; then
there is a row for each of them.
#}
{% macro offer_candidates(supposed=none) -%}
{%- set by = 'supposed_rate, ' if supposed else '' -%}
-- Whoever takes part in a campaign, or has just taken part in one, gets no other offer.
busy as (
    {{ customers_in_campaigns() }}
),
{%- if not supposed %}

newest_rates as (
    {{ newest_learning() }}
),

customer_rates as (
    {{ rates_by_customer() }}
),
{%- endif %}

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
        {%- if supposed %}
        {{ supposed }}.supposed_rate,
        {%- endif %}
        busy.customer_id is not null as is_busy,
        risk_tiers.tier_rank,
        policies.is_low_risk,
        policies.offer,
        rates.monthly_margin_share * risks.avg_monthly_margin_eur as discount_eur_month,
        rates.monthly_margin_share * risks.avg_monthly_margin_eur * economics.offer_months as offer_budget_eur,
        economics.contact_cost_eur,
        {{ saved_margin(
            supposed ~ '.supposed_rate' if supposed
            else 'coalesce(customer_rates.save_probability, rates.save_probability)'
        ) }} as expected_saved_margin_eur,
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
    {%- if supposed %}
    cross join {{ supposed }}
    {%- else %}
    left join customer_rates
        on
            risks.customer_id = customer_rates.customer_id
            and rates.offer = customer_rates.offer
    {%- endif %}
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
            partition by {{ by }}policy, customer_id
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
            partition by {{ by }}policy, verdict
            order by expected_net_value_eur / greatest(spend_eur, 0.01e0) desc, customer_id asc
        ) as value_rank,
        row_number() over (
            partition by {{ by }}policy, verdict
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

candidates as (
    select
        customer_id,
        as_of_date,
        run_id,
        policy,
        {%- if supposed %}
        supposed_rate,
        {%- endif %}
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
                    partition by {{ by }}policy, verdict
                    order by policy_rank
                    rows between unbounded preceding and current row
                )
        end as cumulative_spend_eur
    from ranked
)
{%- endmacro %}
