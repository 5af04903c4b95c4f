-- The days that metrics are told by; they begin with the first landed month.
with

days as (
    select distinct calendar_date from {{ ref('bronze_hour') }}
),

final as (
    select cast(calendar_date as date) as calendar_date
    from days
)

select * from final
