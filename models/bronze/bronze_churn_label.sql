with

labels as (
    select * from {{ source('raw', 'churn_label') }}
    where customer_id is not null
),

batch as (
    select max(month_end_date) as batch_as_of_date
    from {{ ref('bronze_hour') }}
),

dated as (
    select
        labels.customer_id,
        -- A label without a date was observed from the date that its batch ends with.
        coalesce(labels.label_date, batch.batch_as_of_date) as label_date,
        labels.horizon_days,
        labels.churn,
        -- Beside one that says its date it does not count.
        max(case when labels.label_date is not null then 1 else 0 end) over (
            partition by labels.customer_id, coalesce(labels.label_date, batch.batch_as_of_date)
        ) = 1 and labels.label_date is null as is_superseded
    from labels
    cross join batch
),

final as (
    select
        customer_id,
        label_date,
        max(horizon_days) as horizon_days,
        max(churn) as churn
    from dated
    where not is_superseded
    group by customer_id, label_date
)

select * from final
