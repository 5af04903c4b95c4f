with

delivered as (
    select
        campaign,
        customer_id,
        contact_date,
        channel,
        outcome,
        offer,
        cost_eur
    from {{ source('raw', 'campaign_contacts') }}
    where customer_id is not null
    union all
    select
        campaign,
        customer_id,
        contact_date,
        channel,
        outcome,
        offer,
        cost_eur
    from {{ source('ml', 'campaign_contact') }}
),

ranked as (
    select
        campaign,
        customer_id,
        contact_date,
        coalesce(channel, 'unknown') as channel,
        offer,
        cost_eur,
        case outcome when 'accepted' then 4 when 'refused' then 3 when 'reached' then 2 else 1 end as outcome_rank
    from delivered
),

-- A contact that was delivered and recorded, or recorded twice, is one; the outcome that says most stays.
final as (
    select
        {{ dbt.hash("campaign || '|' || customer_id || '|' || cast(contact_date as varchar) || '|' || channel") }}
            as contact_id,
        campaign,
        customer_id,
        ---------- attributes
        channel,
        case max(outcome_rank)
            when 4 then 'accepted'
            when 3 then 'refused'
            when 2 then 'reached'
            else 'not_reached'
        end as outcome,
        max(offer) as offer,
        ---------- measures
        max(cost_eur) as cost_eur,
        ---------- dates
        contact_date,
        ---------- flags
        max(outcome_rank) > 1 as is_reached
    from ranked
    group by campaign, customer_id, contact_date, channel
)

select * from final
