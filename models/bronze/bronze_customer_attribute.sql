with

attributes as (
    select
        *,
        upper(trim(province_code)) as province
    from {{ source('raw', 'customer_attributes') }}
    where customer_id is not null
),

-- Every column is in the order, so that which duplicate stays does not depend on that of the file.
ranked as (
    select
        *,
        row_number() over (
            partition by customer_id, snapshot_date
            order by
                contracted_power_kw desc,
                province asc,
                is_industrial asc,
                is_second_residence asc,
                is_high_competition_province asc,
                is_urban asc,
                region asc
        ) as row_rank,
        count(*) over (partition by customer_id, snapshot_date) as row_count,
        count(snapshot_date) over (partition by customer_id) as dated_count
    from attributes
),

final as (
    select
        {{ dbt.hash("customer_id || '|' || coalesce(cast(snapshot_date as varchar), '')") }} as attribute_id,
        customer_id,
        ---------- attributes
        contracted_power_kw,
        province as province_code,
        region,
        ---------- flags
        is_industrial,
        is_second_residence,
        is_high_competition_province,
        is_urban,
        ---------- dates
        snapshot_date,
        snapshot_date as max_attribute_date,
        ---------- counts
        row_count - 1 as duplicate_count
    from ranked
    -- When a row without a date was true nobody knows: it stands for a customer who has no other.
    where row_rank = 1 and (snapshot_date is not null or dated_count = 0)
)

select * from final
