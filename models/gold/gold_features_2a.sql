with

customers as (
    select * from {{ ref('silver_customer') }}
),

newest_interactions as (
    select * from {{ ref('silver_interaction') }}
    where recency_rank = 1
),

joined as (
    select
        customers.customer_id,
        customers.as_of_date,
        {{ flag('interactions.customer_id is not null') }} as has_interaction,
        coalesce(interactions.customer_intent, 'no_interaction') as customer_intent,
        date_diff('day', interactions.interaction_date, customers.as_of_date) as days_ago,
        date_diff('day', interactions.interaction_date, customers.next_renewal_date) as days_before_renewal,
        {{ months_between('interactions.interaction_date', 'customers.next_renewal_date') }} as months_before_renewal,
        {{ months_between('customers.last_product_change_date', 'customers.as_of_date') }} as months_since_change,
        interactions.max_contact_date,
        customers.max_contract_date
    from customers
    left join newest_interactions as interactions
        on
            customers.customer_id = interactions.customer_id
            and customers.as_of_date = interactions.as_of_date
),

flagged as (
    select
        *,
        {{ flag("customer_intent = 'Cancellation / Switch'") }} as is_cancellation_intent,
        {{ flag("customer_intent = 'Complaint / Escalation'") }} as is_complaint_intent,
        {{ flag('months_before_renewal between 0 and 3') }} as interaction_within_3m_of_renewal
    from joined
),

final as (
    select
        customer_id,
        as_of_date,
        ---------- interaction
        has_interaction,
        customer_intent,
        is_cancellation_intent,
        is_complaint_intent,
        {{ flag('is_complaint_intent = 1 or is_cancellation_intent = 1') }} as recent_complaint_flag,
        cast(
            case
                when is_cancellation_intent = 1 then 3
                when is_complaint_intent = 1 then 2
                when customer_intent = 'Pricing Offers' then 1
                else 0
            end as integer
        ) as intent_severity_score,
        cast(coalesce(days_ago, 9999) as bigint) as last_interaction_days_ago,
        ---------- interaction and contract
        interaction_within_3m_of_renewal,
        {{ flag('days_before_renewal between 0 and 30') }} as is_interaction_within_30d_of_renewal,
        {{ flag('interaction_within_3m_of_renewal = 1 and (is_complaint_intent = 1 or is_cancellation_intent = 1)') }}
            as complaint_near_renewal,
        coalesce(months_since_change, 9999e0) as months_since_last_change,
        ---------- newest source dates
        max_contact_date,
        max_contract_date
    from flagged
)

select * from final
