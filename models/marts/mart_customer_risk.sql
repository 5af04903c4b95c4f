with

scores as (
    select * from {{ source('ml', 'customer_score') }}
    where run_id = {{ shown_run_id() }}
),

customers as (
    select * from {{ ref('gold_master') }}
),

customer_reasons as (
    select * from {{ ref('mart_customer_reason') }}
),

tiers as (
    select * from {{ ref('risk_tiers') }}
),

provinces as (
    select * from {{ ref('province_names') }}
),

remaining as (
    select * from {{ ref('silver_remaining_months') }}
),

reasons as (
    select
        customer_id,
        max(case when reason_rank = 1 then reason_code end) as reason_1_code,
        max(case when reason_rank = 2 then reason_code end) as reason_2_code,
        max(case when reason_rank = 3 then reason_code end) as reason_3_code,
        max(case when reason_rank = 1 then sentence end) as reason_1,
        max(case when reason_rank = 2 then sentence end) as reason_2,
        max(case when reason_rank = 3 then sentence end) as reason_3,
        count(case when is_actionable then 1 end) as actionable_reason_count
    from customer_reasons
    group by customer_id
),

final as (
    select
        scores.customer_id,
        scores.as_of_date,
        scores.run_id,
        scores.model_version,
        ---------- risk
        scores.churn_probability,
        scores.risk_tier,
        tiers.tier_rank,
        tiers.is_at_risk,
        scores.is_flagged,
        {{ expected_loss('scores.churn_probability', 'customers.avg_monthly_margin_eur') }}
            as expected_monthly_loss_eur,
        ---------- reasons
        reasons.reason_1_code,
        reasons.reason_2_code,
        reasons.reason_3_code,
        reasons.reason_1,
        reasons.reason_2,
        reasons.reason_3,
        reasons.reason_1 || coalesce(' ' || reasons.reason_2, '') || coalesce(' ' || reasons.reason_3, '') as reasons,
        coalesce(reasons.actionable_reason_count, 0) as actionable_reason_count,
        ---------- customer
        customers.segment,
        customers.sales_channel,
        customers.portfolio_type,
        customers.province_code,
        coalesce(provinces.province, customers.province_code, 'Unknown') as province,
        customers.is_high_competition_province = 1 as is_high_competition_province,
        customers.is_dual_fuel = 1 as is_dual_fuel,
        ---------- contract
        customers.months_to_renewal,
        customers.renewal_bucket,
        customers.tenure_months,
        customers.tenure_bucket,
        remaining.remaining_months,
        remaining.basis as remaining_months_basis,
        remaining.saved_months,
        remaining.saved_value_months,
        remaining.stayer_value_months,
        ---------- consumption and money
        customers.avg_monthly_elec_kwh,
        customers.avg_monthly_gas_m3,
        customers.avg_monthly_margin_eur,
        customers.elec_price_trend_12m * 100 as elec_price_trend_12m_pct,
        ---------- last contact
        customers.customer_intent,
        customers.sentiment_label,
        case when customers.has_interaction = 1 then customers.last_interaction_days_ago end
            as last_interaction_days_ago
    from scores
    inner join customers
        on
            scores.customer_id = customers.customer_id
            and scores.as_of_date = customers.as_of_date
    left join remaining
        on
            scores.customer_id = remaining.customer_id
            and scores.as_of_date = remaining.as_of_date
    left join tiers
        on scores.risk_tier = tiers.risk_tier
    left join reasons
        on scores.customer_id = reasons.customer_id
    left join provinces
        on customers.province_code = provinces.province_code
)

select * from final
