with

behaviour as (
    select * from {{ ref('gold_features_2a') }}
),

newest_interactions as (
    select * from {{ ref('silver_interaction') }}
    where recency_rank = 1
),

final as (
    select
        behaviour.customer_id,
        behaviour.as_of_date,
        ---------- sentiment
        coalesce(interactions.sentiment_label, 'no_interaction') as sentiment_label,
        {{ flag("interactions.sentiment_label = 'negative'") }} as is_negative_sentiment,
        {{ flag("interactions.sentiment_label = 'negative' and behaviour.recent_complaint_flag = 1") }}
            as complaint_x_negative_sentiment,
        ---------- newest source dates
        {{ newest_of(['behaviour.max_contact_date', 'interactions.max_contact_date']) }} as max_contact_date
    from behaviour
    left join newest_interactions as interactions
        on
            behaviour.customer_id = interactions.customer_id
            and behaviour.as_of_date = interactions.as_of_date
)

select * from final
