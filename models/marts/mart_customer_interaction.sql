with

interactions as (
    select * from {{ ref('silver_interaction') }}
),

risks as (
    select * from {{ ref('mart_customer_risk') }}
),

final as (
    select
        interactions.interaction_id,
        interactions.customer_id,
        interactions.as_of_date,
        ---------- customer
        risks.risk_tier,
        risks.segment,
        risks.province,
        ---------- what was said
        interactions.interaction_date,
        cast(date_trunc('month', interactions.interaction_date) as date) as interaction_month,
        interactions.interaction_channel,
        interactions.interaction_summary,
        interactions.customer_intent,
        interactions.sentiment_label,
        interactions.sentiment_score,
        ---------- counts
        interactions.recency_rank
    from interactions
    inner join risks
        on
            interactions.customer_id = risks.customer_id
            and interactions.as_of_date = risks.as_of_date
)

select * from final
