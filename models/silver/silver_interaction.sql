with

interactions as (
    select * from {{ ref('bronze_interaction') }}
),

intent_keywords as (
    select * from {{ ref('intent_keywords') }}
),

observation_window as (
    {{ observation_window() }}
),

sentiments as (
    -- Labels follow from the text alone, so any run's label of a text will do.
    select
        text_hash,
        min(sentiment_label) as sentiment_label,
        min(sentiment_score) as sentiment_score
    from {{ source('ml', 'interaction_sentiment') }}
    where backend = {{ sentiment_backend() }}
    group by text_hash
),

known as (
    select
        interactions.*,
        observation_window.as_of_date,
        -- One space around every word, so that whole words are found by their position.
        ' ' || {{ replace_pattern("lower(interactions.interaction_summary)", '[^a-z0-9]+', ' ') }} || ' ' as words
    from interactions
    cross join observation_window
    -- Some contacts reach the export later; until then nobody knew of them.
    where
        interactions.interaction_date <= observation_window.as_of_date
        and coalesce(interactions.recorded_date <= observation_window.as_of_date, true)
),

intents as (
    select
        known.interaction_id,
        min(intent_keywords.intent_priority) as intent_priority,
        min_by(intent_keywords.customer_intent, intent_keywords.intent_priority) as customer_intent
    from known
    inner join intent_keywords
        on strpos(
            known.words,
            ' ' || intent_keywords.keyword || case when intent_keywords.is_prefix then '' else ' ' end
        ) > 0
    group by known.interaction_id
),

-- Newest first; on one day the more urgent intent; what is left is told apart by its id.
final as (
    select
        known.interaction_id,
        known.customer_id,
        known.as_of_date,
        ---------- attributes
        known.interaction_date,
        known.recorded_date,
        known.interaction_channel,
        known.interaction_summary,
        known.text_hash,
        coalesce(intents.customer_intent, 'Other / Unclassified') as customer_intent,
        coalesce(sentiments.sentiment_label, 'unlabelled') as sentiment_label,
        sentiments.sentiment_score,
        ---------- counts
        row_number() over (
            partition by known.customer_id
            order by
                known.interaction_date desc, intents.intent_priority asc nulls last, known.interaction_id asc
        ) as recency_rank
    from known
    left join intents
        on known.interaction_id = intents.interaction_id
    left join sentiments
        on known.text_hash = sentiments.text_hash
)

select * from final
