with

observation_window as (
    {{ observation_window() }}
),

-- Dated files hold snapshots: the newest on or before the as-of date counts, or the first there is.
attribute_snapshot as (
    select
        coalesce(
            max(case when attributes.snapshot_date <= observation_window.as_of_date then attributes.snapshot_date end),
            min(attributes.snapshot_date)
        ) as snapshot_date
    from {{ source('raw', 'customer_attributes') }} as attributes
    cross join observation_window
),

contract_snapshot as (
    select
        coalesce(
            max(case when contracts.snapshot_date <= observation_window.as_of_date then contracts.snapshot_date end),
            min(contracts.snapshot_date)
        ) as snapshot_date
    from {{ source('raw', 'customer_contracts') }} as contracts
    cross join observation_window
),

attributes as (
    select
        attributes.*,
        row_number() over (
            partition by attributes.customer_id
            order by
                attributes.contracted_power_kw desc,
                attributes.province_code asc,
                attributes.is_industrial asc,
                attributes.is_second_residence asc
        ) as row_rank,
        count(*) over (partition by attributes.customer_id) as row_count,
        attribute_snapshot.snapshot_date is not null as has_snapshots
    from {{ source('raw', 'customer_attributes') }} as attributes
    cross join attribute_snapshot
    where
        attributes.customer_id is not null
        and coalesce(attributes.snapshot_date = attribute_snapshot.snapshot_date, true)
),

contracts as (
    select
        contracts.*,
        row_number() over (
            partition by contracts.customer_id
            order by
                contracts.contract_start_date desc nulls last,
                contracts.next_renewal_date desc,
                contracts.sales_channel asc
        ) as row_rank,
        count(*) over (partition by contracts.customer_id) as row_count
    from {{ source('raw', 'customer_contracts') }} as contracts
    cross join contract_snapshot
    where
        contracts.customer_id is not null
        and coalesce(contracts.snapshot_date = contract_snapshot.snapshot_date, true)
),

final as (
    select
        attributes.customer_id,
        ---------- attributes
        attributes.contracted_power_kw,
        upper(trim(attributes.province_code)) as province_code,
        attributes.region,
        contracts.sales_channel,
        ---------- flags
        attributes.is_industrial,
        attributes.is_second_residence,
        attributes.is_high_competition_province,
        attributes.is_urban,
        contracts.customer_id is not null as has_contract,
        ---------- dates
        contracts.customer_first_activation_date,
        contracts.contract_start_date,
        contracts.last_product_change_date,
        contracts.next_renewal_date,
        attributes.snapshot_date as attribute_snapshot_date,
        contracts.snapshot_date as contract_snapshot_date,
        ---------- counts
        attributes.row_count - 1 as duplicate_attribute_count,
        coalesce(contracts.row_count - 1, 0) as duplicate_contract_count
    from attributes
    cross join contract_snapshot
    left join contracts
        on
            attributes.customer_id = contracts.customer_id
            and contracts.row_rank = 1
    where
        attributes.row_rank = 1
        -- Where only contracts are dated, they say who is a customer.
        and (
            attributes.has_snapshots
            or contract_snapshot.snapshot_date is null
            or contracts.customer_id is not null
        )
)

select * from final
