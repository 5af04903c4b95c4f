with

candidates as (
    select * from {{ ref('mart_offer_candidate') }}
),

eligible as (
    select * from candidates
    where verdict = 'eligible'
),

policies as (
    select distinct policy from candidates
),

campaign as (
    select * from {{ ref('offer_campaign') }}
),

-- What either policy would spend at most, in twenty steps, and the budget that is set.
most as (
    select coalesce(max(cumulative_spend_eur), 0e0) as budget_eur
    from eligible
),

budgets as (
    {% for step in range(1, 21) %}
    select budget_eur * {{ step }}e0 / 20 as budget_eur
    from most
    union distinct
    {% endfor %}
    select budget_eur
    from campaign
    where budget_eur is not null
),

final as (
    select
        policies.policy,
        budgets.budget_eur,
        ---------- what it buys
        count(eligible.customer_id) as offer_count,
        coalesce(max(eligible.cumulative_spend_eur), 0e0) as spent_eur,
        coalesce(round(sum(eligible.expected_saved_margin_eur order by eligible.customer_id), 2), 0e0)
            as expected_saved_margin_eur,
        coalesce(round(sum(eligible.expected_net_value_eur order by eligible.customer_id), 2), 0e0)
            as expected_net_value_eur
    from budgets
    cross join policies
    left join eligible
        on
            policies.policy = eligible.policy
            and budgets.budget_eur >= eligible.cumulative_spend_eur
    group by policies.policy, budgets.budget_eur
)

select * from final
