-- How long customers are expected to stay: the life table of silver_churn_hazard, gone through month by month from
-- where each customer stands. Customers who look alike differ (`hazard_variance`, a gamma distribution): those who
-- stay are the loyal ones, so the longer, the safer; and whoever would have left and is saved is one of the others.
with

economics as (
    {{ economic_assumptions([
        'hazard_variance', 'contract_months', 'value_horizon_months', 'yearly_discount_rate'
    ]) }}
),

hazards as (
    select * from {{ ref('silver_churn_hazard') }}
),

table_length as (
    select
        max(horizon_months) as horizon_months,
        max(case when is_observed then 1 else 0 end) = 1 as is_observed
    from hazards
),

customers as (
    select
        customer_id,
        as_of_date,
        segment,
        floor({{ months_between('customer_first_activation_date', 'as_of_date') }}) as tenure_month,
        floor({{ months_between('as_of_date', 'next_renewal_date') }}) as renewal_month
    from {{ ref('silver_customer') }}
),

-- Above ten years all are one group, and a contract that ran out long ago is renewed before it matters. Engines
-- differ in the greatest of a number and null, so nulls stay out of it. Keys are there to be joined by.
placed as (
    select
        customer_id,
        as_of_date,
        segment,
        tenure_month is not null as is_tenure_known,
        renewal_month is not null as is_renewal_known,
        case when tenure_month > 121 then 121e0 else coalesce(tenure_month, -1e0) end as tenure_key,
        case
            when renewal_month > 60 then 60e0
            when renewal_month < -2 then -2e0
            else coalesce(renewal_month, -99e0)
        end as renewal_key
    from customers
),

states as (
    select distinct
        segment,
        tenure_key,
        renewal_key,
        case when tenure_key >= 0 then tenure_key end as tenure_month,
        case when renewal_key > -99 then renewal_key end as renewal_month
    from placed
),

months as (
    select cast(generated_number as integer) as month_number
    from ({{ dbt.generate_series(600) }}) as numbers
),

-- A label counts who leaves within a horizon after a date. So the table goes in steps of a horizon, and within one
-- a customer has the hazard of where it stood at its beginning.
steps as (
    select
        states.*,
        months.month_number,
        table_length.horizon_months,
        floor((months.month_number - 1) / (1e0 * table_length.horizon_months)) * table_length.horizon_months
            as passed_months,
        economics.hazard_variance,
        economics.contract_months,
        economics.yearly_discount_rate
    from states
    cross join table_length
    cross join economics
    inner join months
        on economics.value_horizon_months >= months.month_number
),

-- A contract that runs out is renewed within a month, for `contract_months`.
standing as (
    select
        *,
        tenure_month + 0.5e0 + passed_months as tenure_months,
        renewal_month + 0.5e0 - passed_months
        + contract_months * ceil(
            greatest(-1e0 - (renewal_month + 0.5e0 - passed_months), 0e0) / contract_months
        ) as months_to_renewal
    from steps
),

exposed as (
    select
        standing.*,
        hazards.monthly_hazard,
        sum(hazards.monthly_hazard) over (
            partition by standing.segment, standing.tenure_key, standing.renewal_key
            order by standing.month_number
            rows between unbounded preceding and current row
        ) - hazards.monthly_hazard / 2 as cumulative_hazard,
        sum(case when standing.month_number <= standing.horizon_months then hazards.monthly_hazard end) over (
            partition by standing.segment, standing.tenure_key, standing.renewal_key
        ) as horizon_hazard
    from standing
    inner join hazards
        on
            standing.segment = hazards.segment
            and {{ tenure_group('standing.tenure_months') }} = hazards.tenure_group
            and {{ renewal_bucket('standing.months_to_renewal') }} = hazards.renewal_group
),

-- Chance to be a customer in the middle of the month. Saved or not, nobody leaves within the horizon of whom we
-- know that; after it, those who would have left have hazards (1 + variance) times those of others.
surviving as (
    select
        *,
        power(1 + hazard_variance * cumulative_hazard, -1 / hazard_variance) as remaining_share,
        case
            when month_number <= horizon_months then 1e0
            else power(
                (1 + hazard_variance * horizon_hazard) / (1 + hazard_variance * cumulative_hazard),
                1 / hazard_variance
            )
        end as stayer_share,
        case
            when month_number <= horizon_months then 1e0
            else power(
                (1 + hazard_variance * horizon_hazard) / (1 + hazard_variance * cumulative_hazard),
                1 / hazard_variance + 1
            )
        end as saved_share,
        least(1e0, greatest(0e0, month_number - horizon_months / 2e0)) as gained_share,
        power(1 + yearly_discount_rate, -(month_number - 0.5e0) / 12e0) as discount
    from exposed
),

-- Who leaves within the horizon does so in the middle of it, on average, and pays until then: only what comes
-- after that is gained by a save, or lost by driving somebody away.
lives as (
    select
        segment,
        tenure_key,
        renewal_key,
        sum(remaining_share) as remaining_months,
        sum(gained_share * saved_share) as saved_months,
        sum(gained_share * discount * saved_share) as saved_value_months,
        sum(gained_share * discount * stayer_share) as stayer_value_months
    from surviving
    group by segment, tenure_key, renewal_key
),

final as (
    select
        placed.customer_id,
        placed.as_of_date,
        ---------- what is known
        case
            when not table_length.is_observed then 'assumed hazard'
            when placed.is_tenure_known and placed.is_renewal_known then 'life table'
            when placed.is_tenure_known then 'life table without renewal'
            when placed.is_renewal_known then 'life table without tenure'
            else 'life table by segment'
        end as basis,
        ---------- months
        round(lives.remaining_months, 6) as remaining_months,
        round(lives.saved_months, 6) as saved_months,
        ---------- discounted
        round(lives.saved_value_months, 6) as saved_value_months,
        round(lives.stayer_value_months, 6) as stayer_value_months
    from placed
    inner join lives
        on
            placed.segment = lives.segment
            and placed.tenure_key = lives.tenure_key
            and placed.renewal_key = lives.renewal_key
    cross join table_length
)

select * from final
