with

attributes as (
    select
        *,
        row_number() over (
            partition by customer_id
            order by contracted_power_kw desc, province_code asc, is_industrial asc, is_second_residence asc
        ) as row_rank,
        count(*) over (partition by customer_id) as row_count
    from {{ source('raw', 'customer_attributes') }}
    where customer_id is not null
),

contracts as (
    select
        *,
        row_number() over (
            partition by customer_id
            order by contract_start_date desc nulls last, next_renewal_date desc, sales_channel asc
        ) as row_rank,
        count(*) over (partition by customer_id) as row_count
    from {{ source('raw', 'customer_contracts') }}
    where customer_id is not null
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
        ---------- counts
        attributes.row_count - 1 as duplicate_attribute_count,
        coalesce(contracts.row_count - 1, 0) as duplicate_contract_count
    from attributes
    left join contracts
        on
            attributes.customer_id = contracts.customer_id
            and contracts.row_rank = 1
    where attributes.row_rank = 1
)

select * from final
