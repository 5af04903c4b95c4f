with

interactions as (
    select
        customer_id,
        "date" as interaction_date,
        channel as interaction_channel,
        interaction_summary,
        recorded_date,
        {{ dbt.hash("lower(trim(interaction_summary))") }} as text_hash
    from {{ source('raw', 'customer_interactions') }}
    where customer_id is not null and "date" is not null
),

identified as (
    select
        *,
        {{ dbt.hash(
            "customer_id || '|' || cast(interaction_date as varchar)"
            ~ " || '|' || coalesce(interaction_channel, '') || '|' || coalesce(text_hash, '')"
        ) }} as interaction_id
    from interactions
),

-- The same text of the same customer, channel and day is one interaction, sent more than once.
final as (
    select
        interaction_id,
        customer_id,
        ---------- attributes
        interaction_date,
        interaction_channel,
        min(interaction_summary) as interaction_summary,
        -- A copy that says when it was recorded beats one that does not.
        coalesce(min(recorded_date), interaction_date) as recorded_date,
        text_hash,
        ---------- dates
        greatest(coalesce(min(recorded_date), interaction_date), interaction_date) as max_contact_date,
        ---------- counts
        count(*) - 1 as duplicate_count
    from identified
    group by interaction_id, customer_id, interaction_date, interaction_channel, text_hash
)

select * from final
