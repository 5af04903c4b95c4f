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

-- Equal values are put together before anything is ranked, so that no row of a customer is kept.
counted as (
    select
        unpivoted.feature,
        unpivoted.is_number,
        unpivoted.number_value,
        unpivoted.word_value,
        count(*) as customer_count,
        {{ exact_sum('scores.churn_probability', digits=9) }} as total_churn_probability
    from unpivoted
    inner join scores
        on unpivoted.customer_id = scores.customer_id
    where unpivoted.word_value is not null or abs(unpivoted.number_value) < 1e15
    group by unpivoted.feature, unpivoted.is_number, unpivoted.number_value, unpivoted.word_value
),

ranked as (
    select
        *,
        count(number_value) over (partition by feature) as distinct_count,
        sum(customer_count) over (partition by feature) as feature_count,
        sum(customer_count) over (partition by feature order by number_value rows unbounded preceding)
        - customer_count as smaller_count
    from counted
),

-- Ten bins of about equal counts; equal values share a bin. Few values, and words, are bins themselves.
binned as (
    select
        feature,
        customer_count,
        total_churn_probability,
        case when is_number and distinct_count > 12 then number_value end as number_value,
        case
            when is_number and distinct_count > 12 then null
            -- Engines write a double as text in ways of their own.
            when number_value = floor(number_value) then cast(cast(number_value as bigint) as varchar)
            when is_number then cast(cast(number_value as decimal(18, 3)) as varchar)
            else word_value
        end as text_value,
        case
            when is_number and distinct_count > 12
                then cast(least(floor(cast(smaller_count as double) / (feature_count - 1) * 10), 9) as integer)
        end as bin
    from ranked
),

bins as (
    select
        feature,
        bin,
        text_value,
        min(number_value) as bin_low,
        max(number_value) as bin_high,
        sum(customer_count) as customer_count,
        {{ exact_sum('total_churn_probability', digits=9) }} / sum(customer_count) as mean_churn_probability
    from binned
    group by feature, bin, text_value
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
        cast(customer_count as bigint) as customer_count,
        mean_churn_probability
    from bins
)

select * from final
