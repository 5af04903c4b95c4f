with

interactions as (
    select * from {{ ref('bronze_interaction') }}
),

intent_keywords as (
    select * from {{ ref('intent_keywords') }}
),

as_of_dates as (
    select * from {{ ref('silver_as_of_date') }}
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

worded as (
    select
        interaction_id,
        -- One space around every word, so that whole words are found by their position.
        ' ' || {{ replace_pattern("lower(interaction_summary)", '[^a-z0-9]+', ' ') }} || ' ' as words
    from interactions
),

-- What was said does not depend on the as-of date.
intents as (
    select
        worded.interaction_id,
        min(intent_keywords.intent_priority) as intent_priority,
        min_by(intent_keywords.customer_intent, intent_keywords.intent_priority) as customer_intent
    from worded
    inner join intent_keywords
        on strpos(
            worded.words,
            ' ' || intent_keywords.keyword || case when intent_keywords.is_prefix then '' else ' ' end
        ) > 0
    group by worded.interaction_id
),

-- Some contacts reach the export later; until then nobody knew of them.
known as (
    select
        interactions.*,
        as_of_dates.as_of_date
    from interactions
    inner join as_of_dates
        on
            interactions.interaction_date <= as_of_dates.as_of_date
            and interactions.recorded_date <= as_of_dates.as_of_date
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
        ---------- newest source dates
        known.max_contact_date,
        ---------- counts
        row_number() over (
            partition by known.as_of_date, known.customer_id
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
