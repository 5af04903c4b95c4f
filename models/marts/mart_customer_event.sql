with

profiles as (
    select * from {{ ref('mart_customer_profile') }}
),

interactions as (
    select * from {{ ref('mart_customer_interaction') }}
),

events as (
    select
        customer_id,
        customer_first_activation_date as event_date,
        'Activation' as event_name,
        'The first supply began.' as detail
    from profiles
    where customer_first_activation_date is not null
    union all
    select
        customer_id,
        last_product_change_date as event_date,
        'Product change' as event_name,
        'The last change of product.' as detail
    from profiles
    where last_product_change_date is not null
    union all
    select
        customer_id,
        interaction_date as event_date,
        'Contact' as event_name,
        customer_intent || ', ' || sentiment_label as detail
    from interactions
    union all
    select
        customer_id,
        as_of_date as event_date,
        'As-of date' as event_name,
        'What is known until then is in the score.' as detail
    from profiles
    union all
    select
        customer_id,
        next_renewal_date as event_date,
        'Renewal' as event_name,
        case when months_to_renewal > 0 then 'The contract is to be renewed.' else 'The contract has expired.' end
            as detail
    from profiles
    where next_renewal_date is not null
),

final as (
    select
        customer_id,
        cast(row_number() over (partition by customer_id order by event_date, event_name, detail) as integer)
            as event_number,
        event_date,
        event_name,
        detail
    from events
)

select * from final
