{#- Round steps, so that budgets can be read and chosen. -#}
{%- set round_steps = [] -%}
{%- for magnitude in [1, 10, 100, 1000, 10000, 100000, 1000000] -%}
{%- for digit in [1, 2, 5] -%}
{%- do round_steps.append(digit * magnitude) -%}
{%- endfor -%}
{%- endfor -%}
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

risk_tiers as (
    select * from {{ ref('risk_tiers') }}
),

economics as (
    {{ offer_economics() }}
),

assignments as (
    select * from {{ ref('bronze_campaign_assignment') }}
),

campaign as (
    select * from {{ ref('offer_campaign') }}
),

-- What if every offer kept this share of those who would leave?
supposed as (
    {% for percent in range(10, 70, 10) %}
    select {{ percent }}e0 / 100 as supposed_rate
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

{{ offer_candidates('supposed') }},

eligible as (
    select
        'as planned' as save_rate,
        cast(null as double) as supposed_rate,
        policy,
        customer_id,
        cumulative_spend_eur,
        expected_saved_margin_eur,
        expected_net_value_eur
    from {{ ref('mart_offer_candidate') }}
    where verdict = 'eligible'
    union all
    select
        cast(cast(round(supposed_rate * 100) as integer) as varchar) || '%' as save_rate,
        supposed_rate,
        policy,
        customer_id,
        cumulative_spend_eur,
        expected_saved_margin_eur,
        expected_net_value_eur
    from candidates
    where verdict = 'eligible'
),

both_policies as (
    select distinct policy from {{ ref('mart_offer_candidate') }}
),

save_rates as (
    select
        'as planned' as save_rate,
        cast(null as double) as supposed_rate
    union all
    select
        cast(cast(round(supposed_rate * 100) as integer) as varchar) || '%' as save_rate,
        supposed_rate
    from supposed
),

most as (
    select
        max(cumulative_spend_eur) as most_eur,
        case
            {% for step in round_steps %}
            when max(cumulative_spend_eur) <= 20 * {{ step }}e0 then {{ step }}e0
            {% endfor %}
            else max(cumulative_spend_eur) / 20
        end as step_eur
    from eligible
),

numbers as (
    {% for number in range(1, 21) %}
    select {{ number }} as number
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

-- Up to what would be spent at most, and the budget that is set.
budgets as (
    select most.step_eur * numbers.number as budget_eur
    from most
    inner join numbers
        on most.step_eur * (numbers.number - 1) < most.most_eur
    union distinct
    select budget_eur
    from campaign
    where budget_eur is not null
),

bought as (
    select
        save_rates.save_rate,
        save_rates.supposed_rate,
        both_policies.policy,
        budgets.budget_eur,
        count(eligible.customer_id) as offer_count,
        coalesce(max(eligible.cumulative_spend_eur), 0e0) as spent_eur,
        coalesce(round({{ exact_sum('eligible.expected_saved_margin_eur') }}, 2), 0e0)
            as expected_saved_margin_eur,
        coalesce(round({{ exact_sum('eligible.expected_net_value_eur') }}, 2), 0e0)
            as expected_net_value_eur
    from budgets
    cross join both_policies
    cross join save_rates
    left join eligible
        on
            save_rates.save_rate = eligible.save_rate
            and both_policies.policy = eligible.policy
            and budgets.budget_eur >= eligible.cumulative_spend_eur
    group by save_rates.save_rate, save_rates.supposed_rate, both_policies.policy, budgets.budget_eur
),

final as (
    select
        bought.save_rate,
        bought.policy,
        bought.budget_eur,
        ---------- in words and numbers
        {{ shown_policy('bought.policy') }} as policy_name,
        bought.supposed_rate as save_probability,
        ---------- what it buys
        bought.offer_count,
        bought.spent_eur,
        bought.expected_saved_margin_eur,
        bought.expected_net_value_eur
    from bought
)

select * from final
