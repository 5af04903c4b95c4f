-- Labels take time: those of a date are known once their horizon is over. Without a horizon they count as known on
-- the next label date, and those of the last date with the batch; a batch whose only labels are of the date that it
-- ends with was cut there to be learned from.
with

labels as (
    select * from {{ ref('bronze_churn_label') }}
),

batch as (
    select max(month_end_date) as batch_as_of_date
    from {{ ref('bronze_hour') }}
),

label_dates as (
    select
        label_date,
        max(horizon_days) as horizon_days,
        count(*) as customer_count,
        cast(sum(churn) as bigint) as churner_count
    from labels
    group by label_date
),

known_dates as (
    select
        label_dates.*,
        batch.batch_as_of_date,
        lead(label_dates.label_date) over (order by label_dates.label_date) as next_label_date,
        count(*) over () = 1 and label_dates.label_date = batch.batch_as_of_date as is_only_date
    from label_dates
    cross join batch
    where label_dates.label_date <= batch.batch_as_of_date
),

dated as (
    select
        *,
        case
            when is_only_date then batch_as_of_date
            when horizon_days is null then coalesce(next_label_date, batch_as_of_date)
            else {{ add_days('horizon_days', 'label_date') }}
        end as matured_date
    from known_dates
),

final as (
    select
        label_date,
        horizon_days,
        customer_count,
        churner_count,
        matured_date,
        matured_date <= batch_as_of_date as is_matured
    from dated
)

select * from final
