with

as_of_dates as (
    select * from {{ ref('silver_as_of_date') }}
),

attributes as (
    select * from {{ ref('bronze_customer_attribute') }}
),

contracts as (
    select * from {{ ref('bronze_customer_contract') }}
),

labels as (
    select * from {{ ref('bronze_churn_label') }}
),

channel_names as (
    select * from {{ ref('channel_names') }}
),

snapshot_dates as (
    select distinct
        'attribute' as snapshot_of,
        snapshot_date
    from attributes
    where snapshot_date is not null
    union all
    select distinct
        'contract' as snapshot_of,
        snapshot_date
    from contracts
    where snapshot_date is not null
),

-- The newest snapshot on or before an as-of date counts; where all are of later, none does.
snapshots as (
    select
        as_of_dates.as_of_date,
        max(case
            when snapshot_dates.snapshot_of = 'attribute' and snapshot_dates.snapshot_date <= as_of_dates.as_of_date
                then snapshot_dates.snapshot_date
        end) as attribute_snapshot_date,
        max(case
            when snapshot_dates.snapshot_of = 'contract' and snapshot_dates.snapshot_date <= as_of_dates.as_of_date
                then snapshot_dates.snapshot_date
        end) as contract_snapshot_date,
        count(case when snapshot_dates.snapshot_of = 'attribute' then 1 end) > 0 as are_attributes_dated,
        count(case when snapshot_dates.snapshot_of = 'contract' then 1 end) > 0 as are_contracts_dated
    from as_of_dates
    left join snapshot_dates
        on true
    group by as_of_dates.as_of_date
),

known_attributes as (
    select
        attributes.*,
        snapshots.as_of_date,
        snapshots.are_attributes_dated,
        snapshots.are_contracts_dated
    from attributes
    cross join snapshots
    where attributes.snapshot_date is null or attributes.snapshot_date = snapshots.attribute_snapshot_date
),

known_contracts as (
    select
        contracts.*,
        snapshots.as_of_date
    from contracts
    cross join snapshots
    where contracts.snapshot_date is null or contracts.snapshot_date = snapshots.contract_snapshot_date
),

activations as (
    select
        customer_id,
        as_of_date,
        min(customer_first_activation_date) as customer_first_activation_date
    from known_contracts
    group by customer_id, as_of_date
),

-- Few spellings stand for all customers of all as-of dates, so each is looked up once.
channels as (
    select
        spellings.source_name,
        channel_names.sales_channel,
        channel_names.is_digital
    from (select distinct sales_channel as source_name from contracts) as spellings
    inner join channel_names
        on
            {{ replace_pattern('lower(trim(spellings.source_name))', '[^a-z0-9]+', '_') }}
            = channel_names.source_name
),

-- A contract that starts later may have been signed already, but it is not in force yet.
ranked_contracts as (
    select
        *,
        row_number() over (
            partition by as_of_date, customer_id
            order by contract_start_date desc nulls last, contract_id asc
        ) as row_rank
    from known_contracts
    where contract_start_date is null or contract_start_date <= as_of_date
),

final as (
    select
        attributes.customer_id,
        attributes.as_of_date,
        ---------- attributes
        case
            when not coalesce(attributes.is_industrial, false) then 'Residential'
            when attributes.contracted_power_kw > 10 then 'Corporate'
            else 'SME'
        end as segment,
        coalesce(channels.sales_channel, 'Unknown') as sales_channel,
        attributes.province_code,
        attributes.region,
        attributes.contracted_power_kw,
        ---------- flags
        {{ flag('channels.is_digital') }} as is_digital_channel,
        {{ flag('attributes.is_high_competition_province') }} as is_high_competition_province,
        {{ flag('attributes.is_second_residence') }} as is_second_residence,
        {{ flag('attributes.is_urban') }} as is_urban,
        {{ flag("attributes.contracted_power_kw > 15 or attributes.province_code in ('51', 'CE', '52', 'ML')") }}
            as is_tariff_approximate,
        ---------- dates
        activations.customer_first_activation_date,
        case
            when contracts.last_product_change_date <= attributes.as_of_date then contracts.last_product_change_date
        end as last_product_change_date,
        contracts.next_renewal_date,
        ---------- newest source dates
        attributes.max_attribute_date,
        {{ newest_of([
            'contracts.snapshot_date', 'contracts.contract_start_date', 'activations.customer_first_activation_date',
            'case when contracts.last_product_change_date <= attributes.as_of_date'
            ~ ' then contracts.last_product_change_date end'
        ]) }} as max_contract_date,
        ---------- target
        labels.churn
    from known_attributes as attributes
    left join activations
        on
            attributes.customer_id = activations.customer_id
            and attributes.as_of_date = activations.as_of_date
    left join ranked_contracts as contracts
        on
            attributes.customer_id = contracts.customer_id
            and attributes.as_of_date = contracts.as_of_date
            and contracts.row_rank = 1
    left join channels
        on contracts.sales_channel = channels.source_name
    left join labels
        on
            attributes.customer_id = labels.customer_id
            and attributes.as_of_date = labels.label_date
    where
        -- Where only contracts are dated, they say who is a customer.
        (
            attributes.are_attributes_dated
            or not attributes.are_contracts_dated
            or activations.customer_id is not null
        )
        -- Who is activated after the as-of date is not a customer yet.
        and coalesce(activations.customer_first_activation_date <= attributes.as_of_date, true)
)

select * from final
