with

scores as (
    select * from {{ source('ml', 'customer_score') }}
    where run_id = '{{ var("run_id") }}'
),

score_reasons as (
    select
        *,
        try_cast(feature_value as double) as feature_number
    from {{ source('ml', 'score_reason') }}
    where run_id = '{{ var("run_id") }}'
),

reason_codes as (
    select * from {{ ref('reason_codes') }}
),

customers as (
    select * from {{ ref('gold_master') }}
),

-- A row of the seed that speaks of the customer's value goes before the one for any value.
explained as (
    select
        score_reasons.customer_id,
        score_reasons.reason_rank,
        reason_codes.reason_code,
        reason_codes.is_actionable,
        replace(
            reason_codes.sentence,
            '{value}',
            coalesce(
                case
                    when reason_codes.value_decimals = 0
                        then cast(cast(score_reasons.feature_number * reason_codes.value_multiplier as decimal(18, 0)) as varchar)
                    else cast(cast(score_reasons.feature_number * reason_codes.value_multiplier as decimal(18, 1)) as varchar)
                end,
                score_reasons.feature_value
            )
        ) as sentence,
        row_number() over (
            partition by score_reasons.customer_id, score_reasons.reason_rank
            order by case when reason_codes.direction = 'any' then 1 else 0 end
        ) as match_rank
    from score_reasons
    inner join reason_codes
        on
            score_reasons.feature = reason_codes.feature
            and (
                reason_codes.direction = 'any'
                or score_reasons.feature_value = reason_codes.text_value
                or (
                    reason_codes.direction in ('low', 'high')
                    and score_reasons.feature_number >= coalesce(reason_codes.minimum_value, score_reasons.feature_number)
                    and (reason_codes.maximum_value is null or score_reasons.feature_number < reason_codes.maximum_value)
                )
            )
),

-- Several features can stand for one reason; it is told once.
distinct_reasons as (
    select
        customer_id,
        reason_code,
        min(reason_rank) as reason_rank,
        min_by(sentence, reason_rank) as sentence,
        min_by(is_actionable, reason_rank) as is_actionable
    from explained
    where match_rank = 1
    group by customer_id, reason_code
),

ranked_reasons as (
    select
        *,
        row_number() over (partition by customer_id order by reason_rank) as position
    from distinct_reasons
),

reasons as (
    select
        customer_id,
        max(case when position = 1 then reason_code end) as reason_1_code,
        max(case when position = 2 then reason_code end) as reason_2_code,
        max(case when position = 3 then reason_code end) as reason_3_code,
        max(case when position = 1 then sentence end) as reason_1,
        max(case when position = 2 then sentence end) as reason_2,
        max(case when position = 3 then sentence end) as reason_3,
        count(case when position <= 3 and is_actionable then 1 end) as actionable_reason_count
    from ranked_reasons
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
        scores.is_flagged,
        case
            when {{ is_finite('customers.avg_monthly_margin') }} and customers.avg_monthly_margin > 0
                then scores.churn_probability * customers.avg_monthly_margin
            else 0e0
        end as expected_monthly_loss_eur,
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
        customers.is_high_competition_province = 1 as is_high_competition_province,
        customers.is_dual_fuel = 1 as is_dual_fuel,
        ---------- contract
        customers.months_to_renewal,
        customers.renewal_bucket,
        customers.tenure_months,
        customers.tenure_bucket,
        ---------- consumption and money
        customers.avg_monthly_elec_kwh,
        customers.avg_monthly_gas_m3,
        customers.avg_monthly_margin as avg_monthly_margin_eur,
        customers.elec_price_trend_12m * 100 as elec_price_trend_12m_pct,
        ---------- last contact
        customers.customer_intent,
        customers.sentiment_label,
        case when customers.has_interaction = 1 then customers.last_interaction_days_ago end as last_interaction_days_ago
    from scores
    inner join customers
        on
            scores.customer_id = customers.customer_id
            and scores.as_of_date = customers.as_of_date
    left join reasons
        on scores.customer_id = reasons.customer_id
)

select * from final
