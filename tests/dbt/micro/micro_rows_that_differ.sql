-- The comparison of the other tests here finds a row too many, one too few, and another value.
with

expected (customer_id, months) as (
    values
    ('C00001', 1),
    ('C00002', 2),
    ('C00003', cast(null as integer)),
    ('C00004', 4),
    ('C00005', cast(null as integer))
),

actual (customer_id, months) as (
    values
    ('C00001', 1),
    ('C00002', 3),
    ('C00003', cast(null as integer)),
    ('C00006', cast(null as integer))
),

found as (
    {{ rows_that_differ(['customer_id'], ['months']) }}
),

listed (customer_id, expected_months, actual_months) as (
    values
    ('C00002', 2, 3),
    ('C00004', 4, cast(null as integer)),
    ('C00005', cast(null as integer), cast(null as integer)),
    ('C00006', cast(null as integer), cast(null as integer))
),

micro_runs as (
    select count(*) as run_count
    from {{ source('ml', 'pipeline_run') }}
    where batch_id = 'micro'
),

told as (
    select
        listed.customer_id,
        listed.expected_months,
        listed.actual_months
    from listed
    cross join micro_runs
    where micro_runs.run_count > 0
),

too_many as (
    select
        customer_id,
        expected_months,
        actual_months
    from found
    except
    select
        customer_id,
        expected_months,
        actual_months
    from told
),

too_few as (
    select
        customer_id,
        expected_months,
        actual_months
    from told
    except
    select
        customer_id,
        expected_months,
        actual_months
    from found
)

select
    customer_id,
    expected_months,
    actual_months
from too_many
union all
select
    customer_id,
    expected_months,
    actual_months
from too_few
