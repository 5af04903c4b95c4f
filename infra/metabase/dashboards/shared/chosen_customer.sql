-- C01234, c01234, 1234 and 01234 are the same customer; an id as it is written comes first.
with

wanted as (
    select
        trim(
            coalesce(
                [[{{customer_id}},]]
                null,
                (
                    select top.customer_id
                    from mart_customer_profile as top
                    where top.loss_rank = 1
                )
            )
        ) as typed
),

spellings as (
    select
        typed,
        upper(typed) as capital,
        'C' || substring('0000', length(replace(upper(typed), 'C', ''))) || replace(upper(typed), 'C', '') as padded
    from wanted
),

chosen as (
    select
        coalesce(
            max(case when profiles.customer_id = spellings.typed then profiles.customer_id end),
            max(case when upper(profiles.customer_id) = spellings.capital then profiles.customer_id end),
            max(case when profiles.customer_id = spellings.padded then profiles.customer_id end)
        ) as customer_id
    from mart_customer_profile as profiles
    cross join spellings
)
