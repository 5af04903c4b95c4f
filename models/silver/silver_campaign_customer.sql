with

assignments as (
    select * from {{ ref('bronze_campaign_assignment') }}
),

contacts as (
    select * from {{ ref('bronze_campaign_contact') }}
),

labels as (
    select * from {{ ref('bronze_churn_label') }}
),

label_dates as (
    select * from {{ ref('bronze_label_date') }}
    where is_matured
),

contracts as (
    select * from {{ ref('bronze_customer_contract') }}
    where snapshot_date is not null
),

campaigns as (
    select distinct
        campaign,
        as_of_date,
        outcome_date
    from assignments
),

-- Before the labels mature, whoever is missing in a later snapshot of the contracts has left.
looks as (
    select
        campaigns.campaign,
        max(contracts.snapshot_date) as look_date
    from campaigns
    inner join contracts
        on
            campaigns.as_of_date < contracts.snapshot_date
            and campaigns.outcome_date >= contracts.snapshot_date
    group by campaigns.campaign
),

present as (
    select distinct
        customer_id,
        snapshot_date
    from contracts
),

-- Contacts before the campaign or after its horizon are counted apart: they cannot be its doing.
contacted as (
    select
        assignments.campaign,
        assignments.customer_id,
        count(case when contacts.contact_date >= assignments.as_of_date then 1 end) as contact_count,
        count(case when contacts.contact_date < assignments.as_of_date then 1 end) as early_contact_count,
        min(case when contacts.contact_date >= assignments.as_of_date then contacts.contact_date end)
            as first_contact_date,
        max(
            case
                when
                    contacts.is_reached
                    and contacts.contact_date between assignments.as_of_date and assignments.outcome_date
                    then 1
                else 0
            end
        ) = 1 as is_reached,
        max(
            case
                when contacts.contact_date < assignments.as_of_date then 0
                when contacts.outcome = 'accepted' then 4
                when contacts.outcome = 'refused' then 3
                when contacts.outcome = 'reached' then 2
                else 1
            end
        ) as outcome_rank,
        max(case when contacts.contact_date >= assignments.as_of_date then contacts.offer end) as offer_made,
        sum(case when contacts.contact_date >= assignments.as_of_date then contacts.cost_eur end)
            as recorded_cost_eur
    from assignments
    inner join contacts
        on
            assignments.campaign = contacts.campaign
            and assignments.customer_id = contacts.customer_id
    group by assignments.campaign, assignments.customer_id
),

observed as (
    select
        assignments.*,
        looks.look_date as snapshot_look_date,
        labels.churn as label_churn,
        label_dates.matured_date,
        present.customer_id is not null as is_present
    from assignments
    -- A label that was known when the campaign started cannot tell of it.
    left join label_dates
        on
            assignments.as_of_date = label_dates.label_date
            and assignments.as_of_date < label_dates.matured_date
    left join labels
        on
            assignments.customer_id = labels.customer_id
            and assignments.as_of_date = labels.label_date
            and label_dates.label_date is not null
    left join looks
        on assignments.campaign = looks.campaign
    left join present
        on
            assignments.customer_id = present.customer_id
            and looks.look_date = present.snapshot_date
),

-- What was done cost what the CRM says, or else what was planned; a discount that was refused costs nothing.
costed as (
    select
        observed.*,
        contacted.outcome_rank,
        contacted.offer_made,
        contacted.contact_count,
        contacted.early_contact_count,
        contacted.first_contact_date,
        contacted.is_reached,
        case
            when contacted.recorded_cost_eur is not null then contacted.recorded_cost_eur
            when contacted.outcome_rank in (2, 4) then observed.contact_cost_eur + observed.offer_budget_eur
            when contacted.outcome_rank in (1, 3) then observed.contact_cost_eur
            else 0e0
        end as cost_eur
    from observed
    left join contacted
        on
            observed.campaign = contacted.campaign
            and observed.customer_id = contacted.customer_id
),

final as (
    select
        campaign,
        customer_id,
        ---------- attributes
        arm,
        is_treated,
        stratum,
        risk_tier,
        policy,
        reasons,
        model_version,
        scored_run_id,
        case outcome_rank
            when 4 then 'accepted'
            when 3 then 'refused'
            when 2 then 'reached'
            when 1 then 'not_reached'
            else 'no_contact'
        end as contact_outcome,
        offer_made,
        ---------- measures
        propensity,
        control_propensity,
        churn_probability,
        avg_monthly_margin_eur,
        margin_at_stake_eur,
        discount_eur_month,
        offer_budget_eur,
        contact_cost_eur,
        expected_net_value_eur,
        budget_eur,
        coalesce(contact_count, 0) as contact_count,
        coalesce(early_contact_count, 0) as early_contact_count,
        cost_eur,
        ---------- outcome: null as long as nothing is known
        case
            when matured_date is not null then label_churn
            when snapshot_look_date is not null then case when is_present then 0 else 1 end
        end as churn,
        case
            when matured_date is not null then 1e0
            when snapshot_look_date is not null
                then
                    cast(date_diff('day', as_of_date, snapshot_look_date) as double)
                    / greatest(date_diff('day', as_of_date, outcome_date), 1)
            else 0e0
        end as horizon_share,
        ---------- dates
        as_of_date,
        contact_from_date,
        contact_until_date,
        outcome_date,
        free_date,
        stopped_on,
        coalesce(matured_date, snapshot_look_date) as look_date,
        first_contact_date,
        ---------- flags
        matured_date is not null as is_matured,
        coalesce(contact_count, 0) > 0 as is_contacted,
        coalesce(is_reached, false) as is_reached
    from costed
)

select * from final
