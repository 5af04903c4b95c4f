-- Offers by the fixed tiers: a share of the margin for six months, a contact of 20, margin of the
-- months that are left. None of the labels has matured, so all have the assumed hazard, 3% a month: a saved customer
-- brings 20.266501 discounted months, and one who is driven away takes along 30.030322.
with

expected (customer_id, decision, offer, discount_eur_month, offer_budget_eur, expected_net_value_eur) as (
    values
    -- A quarter of 13.8083; (0.95 × 0.3 × 20.266501 − 0.05 × 0.005 × 30.030322) × 13.8083 − 20.71245 − 20.
    ('C00001', 'offered', 'offer_large', 3.452075e0, 20.71245e0, 38.939972e0),
    -- A quarter of 25.078333; (0.8 × 0.3 × 20.266501 − 0.2 × 0.005 × 30.030322) × 25.078333 − 37.6175 − 20.
    ('C00002', 'offered', 'offer_large', 6.269583e0, 37.6175e0, 63.609406e0),
    ('C00003', 'offered', 'offer_medium', 2.02e0, 12.12e0, 16.197182e0),
    ('C00004', 'margin_not_positive', 'no_offer', 0e0, 0e0, null),
    ('C00007', 'low_risk', 'no_offer', 0e0, 0e0, null)
),

actual as (
    select
        offers.customer_id,
        offers.decision,
        offers.offer,
        round(offers.discount_eur_month, 6) as discount_eur_month,
        round(offers.offer_budget_eur, 6) as offer_budget_eur,
        case when offers.decision = 'offered' then round(offers.expected_net_value_eur, 6) end
            as expected_net_value_eur
    from {{ ref('mart_recommendation') }} as offers
    inner join expected
        on offers.customer_id = expected.customer_id
)

{{ rows_that_differ(
    ['customer_id'],
    ['decision', 'offer', 'discount_eur_month', 'offer_budget_eur', 'expected_net_value_eur']
) }}
