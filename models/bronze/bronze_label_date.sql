with

labels as (
    select * from {{ ref('bronze_churn_label') }}
),

batch as (
    select max(month_end_date) as batch_as_of_date
    from {{ ref('bronze_hour') }}
),

counted as (
    select
        labels.label_date,
        batch.batch_as_of_date,
        max(labels.horizon_days) as horizon_days,
        count(*) as customer_count,
        cast(sum(labels.churn) as bigint) as churner_count
    from labels
    cross join batch
    where labels.label_date <= batch.batch_as_of_date
    group by labels.label_date, batch.batch_as_of_date
),

placed as (
    select
        *,
        lead(label_date) over (order by label_date) as next_label_date,
        count(*) over () as date_count
    from counted
),

dated as (
    select
        *,
        case
            when date_count = 1 and label_date = batch_as_of_date then batch_as_of_date
            when horizon_days is not null then {{ add_days('horizon_days', 'label_date') }}
            else coalesce(next_label_date, batch_as_of_date)
        end as matured_date
    from placed
),

final as (
    select
        label_date,
        horizon_days,
        ---------- counts
        customer_count,
        churner_count,
        ---------- maturity
        matured_date,
        matured_date <= batch_as_of_date as is_matured
    from dated
)

select * from final
