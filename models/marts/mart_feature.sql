{# Every feature of the contract, one after the other, as the contract describes it. #}
with

shown as (
    select distinct as_of_date from {{ ref('mart_customer_risk') }}
),

gold as (
    select master.*
    from {{ ref('gold_master') }} as master
    inner join shown
        on master.as_of_date = shown.as_of_date
),

reasons as (
    select
        feature,
        count(*) as reason_count
    from {{ ref('mart_customer_reason') }}
    group by feature
),

long as (
    {{ gold_feature_values('gold') }}
),

features as (
    select
        feature,
        tier,
        unit,
        is_number,
        count(*) as customer_count,
        count(*) - count(number_value) - count(word_value) as null_count,
        -- Quotients of the same two numbers may differ in their last digit from engine to engine.
        count(distinct round(number_value, 9)) + count(distinct word_value) as distinct_count,
        {{ exact_mean('number_value') }} as mean_value,
        {{ exact_stddev('number_value') }} as sd_value,
        min(number_value) as minimum_value,
        max(number_value) as maximum_value
    from long
    group by feature, tier, unit, is_number
),

final as (
    select
        features.feature,
        features.tier,
        features.unit,
        features.is_number,
        ---------- values
        features.customer_count,
        features.null_count,
        features.distinct_count,
        features.mean_value,
        features.sd_value,
        features.minimum_value,
        features.maximum_value,
        ---------- use
        coalesce(reasons.reason_count, 0) as reason_count
    from features
    left join reasons
        on features.feature = reasons.feature
)

select * from final
