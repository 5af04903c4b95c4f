-- The calendar has each hour of a day once. On working days peak is 10–14 and 18–22, standard 8–10, 14–18
-- and 22–24: told apart by the sum of the hours' squares, 2060 and 2124.
with

expected (calendar_date, hour_count, peak_squares, standard_squares) as (
    values
    (date '2023-12-31', 24, 0, 0),
    (date '2024-01-01', 24, 0, 0),
    (date '2024-01-05', 24, 2060, 2124),
    (date '2024-01-06', 24, 0, 0),
    (date '2024-01-07', 24, 0, 0),
    (date '2024-01-08', 24, 2060, 2124),
    (date '2024-02-29', 24, 2060, 2124),
    (date '2024-03-31', 24, 0, 0),
    (date '2024-05-01', 24, 0, 0),
    (date '2024-08-15', 24, 0, 0),
    (date '2024-10-12', 24, 0, 0),
    (date '2024-11-01', 24, 0, 0),
    (date '2024-12-06', 24, 0, 0),
    (date '2024-12-08', 24, 0, 0),
    (date '2024-12-09', 24, 2060, 2124),
    (date '2024-12-25', 24, 0, 0),
    (date '2024-12-31', 24, 2060, 2124)
),

actual as (
    select
        hours.calendar_date,
        count(distinct hours.hour_start) as hour_count,
        sum(case when hours.price_tier = 1 then hours.hour_of_day * hours.hour_of_day else 0 end) as peak_squares,
        sum(case when hours.price_tier = 2 then hours.hour_of_day * hours.hour_of_day else 0 end) as standard_squares
    from {{ ref('bronze_hour') }} as hours
    inner join expected
        on hours.calendar_date = expected.calendar_date
    group by hours.calendar_date
)

{{ rows_that_differ(['calendar_date'], ['hour_count', 'peak_squares', 'standard_squares']) }}
