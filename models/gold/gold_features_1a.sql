with

customers as (
    select * from {{ ref('silver_customer') }}
),

consumption as (
    select * from {{ ref('gold_features_mp') }}
),

lifecycle as (
    select
        customers.*,
        consumption.max_reading_date,
        {{ months_between('customers.as_of_date', 'customers.next_renewal_date') }} as months_to_renewal,
        {{ months_between('customers.customer_first_activation_date', 'customers.as_of_date') }} as tenure_months,
        {{ flag('consumption.total_elec_kwh_12m > 0 and consumption.total_gas_m3_12m > 0') }} as is_dual_fuel
    from customers
    inner join consumption
        on
            customers.customer_id = consumption.customer_id
            and customers.as_of_date = consumption.as_of_date
),

final as (
    select
        customer_id,
        as_of_date,
        ---------- contract
        months_to_renewal,
        {{ renewal_bucket('months_to_renewal') }} as renewal_bucket,
        {{ flag('months_to_renewal > 0 and months_to_renewal <= 3') }} as is_within_3m_of_renewal,
        tenure_months,
        {{ tenure_bucket('tenure_months') }} as tenure_bucket,
        {{ flag('months_to_renewal <= 0') }} as is_expired_contract,
        ---------- customer
        segment,
        sales_channel,
        is_high_competition_province,
        is_second_residence,
        is_dual_fuel,
        segment || case when is_dual_fuel = 1 then '_DualFuel' else '_SingleFuel' end as portfolio_type,
        is_digital_channel,
        {{ flag("sales_channel = 'Comparison Website'") }} as is_comparison_channel,
        {{ flag("sales_channel = 'Own Website'") }} as is_own_website_channel,
        ---------- newest source dates
        max_attribute_date,
        max_contract_date,
        max_reading_date
    from lifecycle
)

select * from final
