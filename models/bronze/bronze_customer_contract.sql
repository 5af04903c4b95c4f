with

contracts as (
    select * from {{ source('raw', 'customer_contracts') }}
    where customer_id is not null
),

-- Every column is in the order, so that which duplicate stays does not depend on that of the file.
ranked as (
    select
        *,
        row_number() over (
            partition by customer_id, snapshot_date, contract_start_date
            order by
                next_renewal_date desc,
                sales_channel asc,
                customer_first_activation_date asc,
                last_product_change_date desc
        ) as row_rank,
        count(*) over (partition by customer_id, snapshot_date, contract_start_date) as row_count,
        count(snapshot_date) over (partition by customer_id) as dated_count
    from contracts
),

final as (
    select
        {{ dbt.hash(
            "customer_id || '|' || coalesce(cast(snapshot_date as varchar), '')"
            ~ " || '|' || coalesce(cast(contract_start_date as varchar), '')"
        ) }} as contract_id,
        customer_id,
        ---------- attributes
        sales_channel,
        ---------- dates
        customer_first_activation_date,
        contract_start_date,
        last_product_change_date,
        next_renewal_date,
        snapshot_date,
        {{ newest_of([
            'snapshot_date', 'contract_start_date', 'customer_first_activation_date', 'last_product_change_date'
        ]) }} as max_contract_date,
        ---------- counts
        row_count - 1 as duplicate_count
    from ranked
    -- When a row without a date was true nobody knows: it stands for a customer who has no other.
    where row_rank = 1 and (snapshot_date is not null or dated_count = 0)
)

select * from final
