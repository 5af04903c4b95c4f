with

lifecycle as (
    select * from {{ ref('gold_features_1a') }}
),

behaviour as (
    select * from {{ ref('gold_features_2a') }}
),

final as (
    select
        lifecycle.customer_id,
        lifecycle.as_of_date,
        ---------- compound
        {{ flag("behaviour.customer_intent = 'Pricing Offers'") }} as is_price_sensitive,
        {{ flag("lifecycle.renewal_bucket in ('expired', '0-3m') and lifecycle.tenure_months <= 12") }}
            as is_high_risk_lifecycle,
        lifecycle.is_high_competition_province * lifecycle.is_within_3m_of_renewal as is_competition_x_renewal,
        lifecycle.is_dual_fuel * lifecycle.is_within_3m_of_renewal as dual_fuel_x_renewal,
        lifecycle.is_dual_fuel * lifecycle.is_high_competition_province as dual_fuel_x_competition,
        lifecycle.is_dual_fuel * behaviour.recent_complaint_flag as dual_fuel_x_intent,
        ---------- newest source dates
        lifecycle.max_attribute_date,
        {{ newest_of(['lifecycle.max_contract_date', 'behaviour.max_contract_date']) }} as max_contract_date,
        lifecycle.max_reading_date,
        behaviour.max_contact_date
    from lifecycle
    inner join behaviour
        on
            lifecycle.customer_id = behaviour.customer_id
            and lifecycle.as_of_date = behaviour.as_of_date
)

select * from final
