with

lifecycle as (
    select * from {{ ref('gold_features_1a') }}
),

behaviour as (
    select * from {{ ref('gold_features_2a') }}
),

sentiment as (
    select * from {{ ref('gold_features_2b') }}
),

-- Linear models need a product spelt out that trees find by themselves.
final as (
    select
        lifecycle.customer_id,
        lifecycle.as_of_date,
        ---------- pairs
        behaviour.customer_intent || '_x_' || lifecycle.renewal_bucket as intent_x_renewal_bucket,
        behaviour.customer_intent || '_x_' || lifecycle.tenure_bucket as intent_x_tenure_bucket,
        sentiment.sentiment_label || '_x_' || lifecycle.renewal_bucket as sentiment_x_renewal_bucket,
        behaviour.customer_intent || '_x_' || sentiment.sentiment_label as intent_x_sentiment,
        lifecycle.tenure_bucket || '_x_' || lifecycle.renewal_bucket as tenure_x_renewal_bucket,
        lifecycle.sales_channel || '_x_' || lifecycle.renewal_bucket as sales_channel_x_renewal_bucket,
        cast(behaviour.has_interaction as varchar) || '_x_' || lifecycle.renewal_bucket
            as has_interaction_x_renewal_bucket,
        cast(lifecycle.is_high_competition_province as varchar) || '_x_' || behaviour.customer_intent
            as competition_x_intent,
        ---------- newest source dates
        lifecycle.max_attribute_date,
        lifecycle.max_contract_date,
        {{ newest_of(['behaviour.max_contact_date', 'sentiment.max_contact_date']) }} as max_contact_date
    from lifecycle
    inner join behaviour
        on
            lifecycle.customer_id = behaviour.customer_id
            and lifecycle.as_of_date = behaviour.as_of_date
    inner join sentiment
        on
            lifecycle.customer_id = sentiment.customer_id
            and lifecycle.as_of_date = sentiment.as_of_date
)

select * from final
