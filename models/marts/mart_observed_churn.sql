{% set dimensions = {
    'all customers': "'all'",
    'renewal': 'renewal_bucket',
    'tenure': 'tenure_bucket',
    'sales channel': 'sales_channel',
    'competition': "case when is_high_competition_province = 1 then 'high' else 'normal' end",
    'fuel': "case when is_dual_fuel = 1 then 'electricity and gas' else 'one fuel' end",
    'sentiment': "replace(sentiment_label, '_', ' ')",
    'segment': 'segment',
} %}
with

gold as (
    select * from {{ ref('gold_master') }}
),

label_dates as (
    select * from {{ ref('bronze_label_date') }}
    where is_matured
),

customers as (
    select
        gold.*,
        label_dates.matured_date
    from gold
    inner join label_dates
        on gold.as_of_date = label_dates.label_date
    where gold.churn is not null
),

groups as (
    {% for dimension, expression in dimensions.items() %}
    select
        as_of_date,
        matured_date,
        '{{ dimension }}' as dimension,
        coalesce({{ expression }}, 'unknown') as group_name,
        churn
    from customers
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

counts as (
    select
        as_of_date,
        dimension,
        group_name,
        -- Along the axis of time; other groups by size.
        case group_name
            when 'expired' then 1
            when '0-3m' then 2
            when '3-6m' then 3
            when '0-6m' then 3
            when '6-12m' then 4
            when '12m+' then 5
            when '1-2y' then 5
            when '2-5y' then 6
            when '5y+' then 7
            else 8
        end as axis_position,
        min(matured_date) as matured_date,
        count(*) as customer_count,
        cast(sum(churn) as bigint) as churner_count
    from groups
    group by as_of_date, dimension, group_name
),

final as (
    select
        as_of_date,
        matured_date,
        as_of_date = max(as_of_date) over () as is_newest,
        ---------- groups
        dimension,
        group_name,
        cast(
            row_number() over (
                partition by as_of_date, dimension
                order by axis_position asc, customer_count desc, group_name asc
            ) as integer
        ) as group_number,
        ---------- churn
        customer_count,
        churner_count,
        1e0 * churner_count / customer_count as churn_share,
        {{ wilson_low('churner_count', 'customer_count') }} as churn_share_low,
        {{ wilson_high('churner_count', 'customer_count') }} as churn_share_high
    from counts
)

select * from final
