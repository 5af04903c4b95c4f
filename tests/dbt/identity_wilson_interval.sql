-- The ends of the interval, as published tables have them: 2 of 10, none of 5, all of 5, 1 of 400.
{{ config(tags=['proof']) }}
with

known (churner_count, customer_count, share_low, share_high) as (
    values
    (2, 10, 0.056682e0, 0.509838e0),
    (0, 5, 0e0, 0.434482e0),
    (5, 5, 0.565518e0, 1e0),
    (1, 400, 0.000441e0, 0.014023e0)
),

computed as (
    select
        known.*,
        {{ wilson_low('churner_count', 'customer_count') }} as actual_low,
        {{ wilson_high('churner_count', 'customer_count') }} as actual_high
    from known
)

select *
from computed
where
    actual_low is null
    or actual_high is null
    or abs(actual_low - share_low) > 0.0000005e0
    or abs(actual_high - share_high) > 0.0000005e0
    -- An end beyond the share itself is no end, by however little.
    or actual_low > 1e0 * churner_count / customer_count
    or actual_high < 1e0 * churner_count / customer_count
