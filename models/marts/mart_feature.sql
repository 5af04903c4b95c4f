{# Every feature of the contract, one after the other, as the contract describes it. #}
{% set features = gold_features() %}
with

gold as (
    select * from {{ ref('gold_master') }}
    where as_of_date in (select as_of_date from {{ ref('mart_customer_risk') }})
),

reasons as (
    select
        feature,
        count(*) as reason_count
    from {{ ref('mart_customer_reason') }}
    group by feature
),

long as (
    {% for feature in features %}
    select
        customer_id,
        '{{ feature.name }}' as feature,
        '{{ feature.tier }}' as tier,
        '{{ feature.unit }}' as unit,
        {{ feature.is_number | lower }} as is_number,
        cast({{ feature.name if feature.is_number else 'null' }} as double) as number_value,
        cast({{ feature.name }} as varchar) as text_value
    from gold
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- Doubles are added up in a stated order: another order gives other last digits.
features as (
    select
        feature,
        tier,
        unit,
        is_number,
        count(*) as customer_count,
        count(*) - count(text_value) as null_count,
        count(distinct text_value) as distinct_count,
        avg(number_value order by customer_id) as mean_value,
        stddev_samp(number_value order by customer_id) as sd_value,
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
