with

months as (
    select * from {{ ref('silver_customer_month') }}
),

risks as (
    select * from {{ ref('mart_customer_risk') }}
),

final as (
    select
        months.customer_id,
        months.month_start,
        months.as_of_date,
        ---------- customer
        risks.risk_tier,
        risks.segment,
        risks.province,
        ---------- consumption
        months.elec_kwh,
        months.gas_m3,
        ---------- prices and costs per unit
        months.variable_price_tier1_eur_kwh as elec_price_eur_kwh,
        months.elec_var_cost_eur_kwh,
        months.gas_variable_price_eur_m3 as gas_price_eur_m3,
        months.gas_var_cost_eur_m3,
        ---------- amounts
        months.revenue_eur,
        months.cost_eur,
        months.margin_eur
    from months
    inner join risks
        on
            months.customer_id = risks.customer_id
            and months.as_of_date = risks.as_of_date
)

select * from final
