-- Campaigns, running and past: who takes part, what is spent, and up to when.
with

customers as (
    select * from {{ ref('mart_campaign_customer') }}
),

assignments as (
    select * from {{ ref('bronze_campaign_assignment') }}
),

batch as (
    select max(month_end_date) as batch_as_of_date
    from {{ ref('bronze_hour') }}
),

policies as (
    select
        campaign,
        min(policy) as policy,
        min(budget_eur) as budget_eur,
        min(model_version) as model_version
    from assignments
    group by campaign
),

counted as (
    select
        campaign,
        min(as_of_date) as as_of_date,
        min(contact_from_date) as contact_from_date,
        max(contact_until_date) as contact_until_date,
        max(outcome_date) as outcome_date,
        max(free_date) as free_date,
        max(stopped_on) as stopped_on,
        max(look_date) as look_date,
        count(*) as customer_count,
        count(case when is_treated then 1 end) as treated_count,
        count(case when not is_treated then 1 end) as control_count,
        count(case when is_treated and is_contacted then 1 end) as contacted_count,
        count(case when is_treated and is_reached then 1 end) as reached_count,
        count(case when not is_treated and is_contacted then 1 end) as called_control_count,
        cast(sum(early_contact_count) as bigint) as early_contact_count,
        sum(contact_cost_eur + offer_budget_eur) as planned_cost_eur,
        sum(cost_eur) as cost_eur,
        sum(expected_net_value_eur) as expected_net_value_eur,
        min(case when is_matured then 1 else 0 end) = 1 as is_matured
    from customers
    group by campaign
),

final as (
    select
        counted.campaign,
        ---------- attributes
        policies.policy,
        policies.model_version,
        case
            when counted.is_matured then 'measured'
            when counted.stopped_on is not null then 'stopped'
            when batch.batch_as_of_date < counted.outcome_date then 'running'
            else 'waiting for labels'
        end as state,
        ---------- counts
        counted.customer_count,
        counted.treated_count,
        counted.control_count,
        counted.contacted_count,
        counted.reached_count,
        counted.called_control_count,
        counted.early_contact_count,
        ---------- money
        policies.budget_eur,
        counted.planned_cost_eur,
        counted.cost_eur,
        counted.expected_net_value_eur,
        ---------- dates
        counted.as_of_date,
        counted.contact_from_date,
        counted.contact_until_date,
        counted.outcome_date,
        counted.free_date,
        counted.stopped_on,
        counted.look_date
    from counted
    inner join policies
        on counted.campaign = policies.campaign
    cross join batch
)

select * from final
