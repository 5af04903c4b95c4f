-- A text that was sent three times is one interaction; what is known later waits.
with

expected (customer_id, interaction_date, recency_rank, customer_intent, sentiment_label, recorded_date) as (
    values
    ('C00001', date '2024-12-10', 1, 'Cancellation / Switch', 'negative', date '2024-12-10'),
    ('C00001', date '2024-10-01', 2, 'Cancellation / Switch', 'neutral', date '2024-10-01'),
    ('C00011', date '2024-11-01', 1, 'Cancellation / Switch', 'negative', date '2024-11-01'),
    -- Sent with and without the day it was recorded: the day counts that is known.
    ('C00011', date '2024-11-01', 2, 'Pricing Offers', 'positive', date '2024-11-03'),
    ('C00012', date '2024-03-05', 1, 'Account / Service Inquiry', 'neutral', date '2024-03-05'),
    ('C00014', date '2024-12-31', 1, 'Other / Unclassified', 'negative', date '2024-12-31')
),

actual as (
    select * from {{ ref('silver_interaction') }}
    where customer_id in ('C00001', 'C00011', 'C00012', 'C00013', 'C00014') and as_of_date = date '2024-12-31'
)

{{ rows_that_differ(
    ['customer_id', 'recency_rank'],
    ['interaction_date', 'customer_intent', 'sentiment_label', 'recorded_date']
) }}
