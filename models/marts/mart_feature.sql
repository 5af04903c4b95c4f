{# Every feature of the contract, one after the other, as the contract describes it. #}
{% set features = gold_features() %}
with

gold as (
    select * from {{ ref('gold_master') }}
),

reasons as (
    select
        feature,
        count(*) as reason_count
    from {{ ref('mart_customer_reason') }}
    group by feature
),

features as (
    {% for feature in features %}
    select
        '{{ feature.name }}' as feature,
        '{{ feature.tier }}' as tier,
        '{{ feature.unit }}' as unit,
        {{ feature.is_number }} as is_number,
        count(*) as customer_count,
        count(*) - count({{ feature.name }}) as null_count,
        count(distinct {{ feature.name }}) as distinct_count,
        {% set number = feature.name if feature.is_number else 'null' %}
        avg(cast({{ number }} as double)) as mean_value,
        stddev_samp(cast({{ number }} as double)) as sd_value,
        min(cast({{ number }} as double)) as minimum_value,
        max(cast({{ number }} as double)) as maximum_value
    from gold
    {{ 'union all' if not loop.last }}
    {% endfor %}
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
