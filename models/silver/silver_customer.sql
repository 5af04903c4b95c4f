with

customers as (
    select * from {{ ref('bronze_customer') }}
),

labels as (
    select * from {{ ref('bronze_churn_label') }}
),

channel_names as (
    select * from {{ ref('channel_names') }}
),

observation_window as (
    {{ observation_window() }}
),

final as (
    select
        customers.customer_id,
        observation_window.as_of_date,
        ---------- attributes
        case
            when not coalesce(customers.is_industrial, false) then 'Residential'
            when customers.contracted_power_kw > 10 then 'Corporate'
            else 'SME'
        end as segment,
        coalesce(channel_names.sales_channel, 'Unknown') as sales_channel,
        customers.province_code,
        customers.region,
        customers.contracted_power_kw,
        ---------- flags
        {{ flag('channel_names.is_digital') }} as is_digital_channel,
        {{ flag('customers.is_high_competition_province') }} as is_high_competition_province,
        {{ flag('customers.is_second_residence') }} as is_second_residence,
        {{ flag('customers.is_urban') }} as is_urban,
        ---------- dates
        customers.customer_first_activation_date,
        case
            when customers.last_product_change_date <= observation_window.as_of_date
                then customers.last_product_change_date
        end as last_product_change_date,
        customers.next_renewal_date,
        ---------- target
        labels.churn
    from customers
    cross join observation_window
    left join channel_names
        on {{ replace_pattern('lower(trim(customers.sales_channel))', '[^a-z0-9]+', '_') }} = channel_names.source_name
    left join labels
        on
            customers.customer_id = labels.customer_id
            and observation_window.as_of_date = labels.label_date
    -- Who is activated after the as-of date is not a customer yet.
    where coalesce(customers.customer_first_activation_date <= observation_window.as_of_date, true)
)

select * from final
