with

risks as (
    select * from {{ ref('mart_customer_risk') }}
),

recommendations as (
    select * from {{ ref('mart_recommendation') }}
),

customers as (
    select * from {{ ref('silver_customer') }}
),

final as (
    select
        risks.customer_id,
        risks.as_of_date,
        risks.run_id,
        ---------- attributes
        risks.segment,
        risks.province,
        customers.region,
        risks.sales_channel,
        risks.portfolio_type,
        customers.contracted_power_kw,
        customers.is_second_residence = 1 as is_second_residence,
        customers.is_urban = 1 as is_urban,
        ---------- risk
        risks.risk_tier,
        risks.churn_probability,
        risks.expected_monthly_loss_eur,
        -- Products of the same two numbers may differ in their last digit from engine to engine.
        row_number() over (
            order by round(risks.expected_monthly_loss_eur, 6) desc nulls last, risks.customer_id asc
        ) as loss_rank,
        ---------- offer
        recommendations.offer,
        recommendations.decision,
        recommendations.discount_eur_month,
        recommendations.expected_net_value_eur,
        recommendations.timing,
        ---------- contract
        risks.tenure_months,
        risks.months_to_renewal,
        customers.customer_first_activation_date,
        customers.last_product_change_date,
        customers.next_renewal_date
    from risks
    inner join customers
        on
            risks.customer_id = customers.customer_id
            and risks.as_of_date = customers.as_of_date
    inner join recommendations
        on risks.customer_id = recommendations.customer_id
)

select * from final
