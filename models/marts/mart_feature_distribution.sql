{# Every feature of the contract: which they are, and whether they are numbers, is read from the contract itself. #}
with

scores as (
    select * from {{ source('ml', 'customer_score') }}
    where run_id = {{ shown_run_id() }}
),

shown as (
    select distinct as_of_date from scores
),

gold as (
    select master.*
    from {{ ref('gold_master') }} as master
    inner join shown
        on master.as_of_date = shown.as_of_date
),

unpivoted as (
    {{ gold_feature_values('gold') }}
),

long as (
    select
        customer_id,
        feature,
        is_number,
        number_value,
        case
            -- Engines write a double as text in ways of their own.
            when abs(number_value) < 1e15 and number_value = floor(number_value)
                then cast(cast(number_value as bigint) as varchar)
            when abs(number_value) < 1e15
                then cast(cast(number_value as decimal(18, 3)) as varchar)
            else word_value
        end as text_value
    from unpivoted
),

spread as (
    select
        feature,
        count(distinct number_value) as distinct_count
    from long
    group by feature
),

-- Ten bins of about equal counts; equal values share a bin. Few values, and words, are bins themselves.
ranked as (
    select
        long.customer_id,
        long.feature,
        long.text_value,
        case when long.is_number and spread.distinct_count > 12 then long.number_value end as number_value,
        percent_rank() over (partition by long.feature order by long.number_value) as percent_rank
    from long
    inner join spread
        on long.feature = spread.feature
    where long.text_value is not null
),

binned as (
    select
        customer_id,
        feature,
        number_value,
        case when number_value is null then text_value end as text_value,
        case when number_value is not null then cast(least(floor(percent_rank * 10), 9) as integer) end as bin
    from ranked
),

-- Doubles are added up in a stated order: another order gives other last digits.
bins as (
    select
        binned.feature,
        binned.bin,
        binned.text_value,
        min(binned.number_value) as bin_low,
        max(binned.number_value) as bin_high,
        count(*) as customer_count,
        avg(scores.churn_probability order by scores.customer_id) as mean_churn_probability
    from binned
    inner join scores
        on binned.customer_id = scores.customer_id
    group by binned.feature, binned.bin, binned.text_value
),

final as (
    select
        feature,
        cast(
            row_number() over (partition by feature order by bin asc nulls last, text_value asc) as integer
        ) as bin_number,
        ---------- values
        case
            when bin is null then text_value
            when greatest(abs(bin_low), abs(bin_high)) >= 100
                then
                    cast(cast(bin_low as decimal(18, 0)) as varchar)
                    || ' to ' || cast(cast(bin_high as decimal(18, 0)) as varchar)
            when greatest(abs(bin_low), abs(bin_high)) >= 1
                then
                    cast(cast(bin_low as decimal(18, 1)) as varchar)
                    || ' to ' || cast(cast(bin_high as decimal(18, 1)) as varchar)
            else
                cast(cast(bin_low as decimal(18, 3)) as varchar)
                || ' to ' || cast(cast(bin_high as decimal(18, 3)) as varchar)
        end as bin_label,
        bin_low,
        bin_high,
        ---------- customers
        customer_count,
        mean_churn_probability
    from bins
)

select * from final
