-- How codes of offers, decisions and policies are written, those without words of their own as well.
with

codes (code, offer_name, decision_name, policy_name) as (
    values
    ('control', 'Control group: do not contact', 'control', 'control'),
    ('contact_only', 'Call only', 'contact only', 'contact only'),
    ('offer_small', 'Small discount', 'offer small', 'offer small'),
    ('offer_very_large', 'Very large discount', 'offer very large', 'offer very large'),
    ('smart_thermostat_free', 'Smart thermostat free', 'smart thermostat free', 'smart thermostat free'),
    ('over_budget', 'Over budget', 'No offer: over the budget', 'over budget'),
    ('fixed_tiers', 'Fixed tiers', 'fixed tiers', 'By risk tier')
),

expected as (
    select
        code,
        offer_name,
        decision_name,
        policy_name
    from codes
),

actual as (
    select
        code,
        {{ shown_offer('code') }} as offer_name,
        {{ shown_decision('code') }} as decision_name,
        {{ shown_policy('code') }} as policy_name
    from codes
)

{{ rows_that_differ(['code'], ['offer_name', 'decision_name', 'policy_name']) }}
