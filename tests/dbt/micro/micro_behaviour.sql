-- The newest contact known on the as-of date: its intent by the keywords, its sentiment, when it was.
with

expected (customer_id, customer_intent, sentiment_label, intent_severity_score, last_interaction_days_ago, interaction_within_3m_of_renewal, is_interaction_within_30d_of_renewal, complaint_near_renewal, complaint_x_negative_sentiment, is_price_sensitive, dual_fuel_x_intent, days_since_change) as (
    values
    -- A complaint and a cancellation in one text: the cancellation is more urgent.
    ('C00001', 'Cancellation / Switch', 'negative', 3, 21, 1, 0, 1, 1, 0, 0, 92),
    ('C00002', 'Complaint / Escalation', 'negative', 2, 16, 0, 0, 0, 1, 0, 1, null),
    ('C00003', 'Billing / Payment', 'neutral', 0, 31, 0, 0, 0, 0, 0, 0, 30),
    ('C00004', 'Contract Renewal', 'neutral', 0, 121, 0, 0, 0, 0, 0, 0, null),
    ('C00005', 'Pricing Offers', 'neutral', 1, 152, 0, 0, 0, 0, 1, 0, null),
    ('C00006', 'Plan / Product Inquiry', 'neutral', 0, 183, 0, 0, 0, 0, 0, 0, null),
    ('C00007', 'Account / Service Inquiry', 'positive', 0, 213, 0, 0, 0, 0, 0, 0, 334),
    ('C00008', 'no_interaction', 'no_interaction', 0, 9999, 0, 0, 0, 0, 0, 0, null),
    ('C00009', 'General / Operational Contact', 'neutral', 0, 244, 0, 0, 0, 0, 0, 0, null),
    ('C00010', 'Other / Unclassified', 'neutral', 0, 274, 0, 0, 0, 0, 0, 0, null),
    -- Two texts of one day: the more urgent one counts as the newest.
    ('C00011', 'Cancellation / Switch', 'negative', 3, 60, 1, 0, 1, 1, 0, 0, null),
    -- What was recorded in January was not known in December.
    ('C00012', 'Account / Service Inquiry', 'neutral', 0, 301, 0, 0, 0, 0, 0, 0, null),
    ('C00013', 'no_interaction', 'no_interaction', 0, 9999, 0, 0, 0, 0, 0, 0, null),
    -- discontent is a whole word among the keywords, discontented is another.
    ('C00014', 'Other / Unclassified', 'negative', 0, 0, 0, 0, 0, 0, 0, 0, null),
    ('C00017', 'no_interaction', 'no_interaction', 0, 9999, 0, 0, 0, 0, 0, 0, null),
    -- Changed in January 2025, which nobody knew. Planning is not plan.
    ('C00019', 'Other / Unclassified', 'neutral', 0, 1, 1, 0, 0, 0, 0, 0, null)
),

actual as (
    select
        customer_id,
        customer_intent,
        sentiment_label,
        intent_severity_score,
        last_interaction_days_ago,
        interaction_within_3m_of_renewal,
        is_interaction_within_30d_of_renewal,
        complaint_near_renewal,
        complaint_x_negative_sentiment,
        is_price_sensitive,
        dual_fuel_x_intent,
        case when months_since_last_change < 9999 then cast(round(months_since_last_change * 30.44e0) as integer) end
            as days_since_change
    from {{ ref('gold_master') }}
    where as_of_date = date '2024-12-31'
)

{{ rows_that_differ(
    ['customer_id'],
    ['customer_intent', 'sentiment_label', 'intent_severity_score', 'last_interaction_days_ago',
        'interaction_within_3m_of_renewal', 'is_interaction_within_30d_of_renewal', 'complaint_near_renewal',
        'complaint_x_negative_sentiment', 'is_price_sensitive', 'dual_fuel_x_intent', 'days_since_change']
) }}
