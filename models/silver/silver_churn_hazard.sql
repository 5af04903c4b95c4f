-- How likely customers leave in a month, by segment, tenure and time to renewal, from the labels that have matured.
-- Small groups lean on what their renewal group, tenure and segment have in common: a group's churners are weighed
-- against `hazard_prior_churners` expected ones.
with

economics as (
    {{ economic_assumptions([
        'hazard_prior_churners', 'monthly_churn_probability', 'label_months', 'hazard_window_months'
    ]) }}
),

customers as (
    select
        *,
        {{ months_between('customer_first_activation_date', 'as_of_date') }} as tenure_months,
        {{ months_between('as_of_date', 'next_renewal_date') }} as months_to_renewal
    from {{ ref('silver_customer') }}
),

label_dates as (
    select * from {{ ref('bronze_label_date') }}
    where is_matured
),

newest as (
    select max(label_dates.label_date) as newest_label_date
    from customers
    inner join label_dates
        on customers.as_of_date = label_dates.label_date
    where customers.churn is not null
),

-- Each label watches a customer for the months of its horizon; who stays is censored at its end.
exposures as (
    select
        customers.segment,
        {{ tenure_group('customers.tenure_months') }} as tenure_group,
        {{ renewal_bucket('customers.months_to_renewal') }} as renewal_group,
        count(*) as watched_count,
        sum(cast(customers.churn as double)) as churner_count,
        sum(coalesce(label_dates.horizon_days / 30.44e0, economics.label_months)) as exposure_months
    from customers
    inner join label_dates
        on customers.as_of_date = label_dates.label_date
    cross join newest
    cross join economics
    where
        customers.churn is not null
        and {{ months_between('customers.as_of_date', 'newest.newest_label_date') }} < economics.hazard_window_months
    group by
        customers.segment,
        {{ tenure_group('customers.tenure_months') }},
        {{ renewal_bucket('customers.months_to_renewal') }}
),

-- The hazard of everybody; without matured labels it is the one that is assumed.
overall as (
    select
        economics.hazard_prior_churners,
        (economics.hazard_prior_churners + coalesce(sum(exposures.churner_count), 0e0))
        / (
            economics.hazard_prior_churners / economics.monthly_churn_probability
            + coalesce(sum(exposures.exposure_months), 0e0)
        ) as hazard,
        coalesce(sum(exposures.exposure_months) / sum(exposures.watched_count), economics.label_months)
            as horizon_months,
        coalesce(sum(exposures.churner_count), 0e0) as all_churner_count
    from economics
    left join exposures
        on true
    group by
        economics.hazard_prior_churners,
        economics.monthly_churn_probability,
        economics.label_months
),

-- One after the other, each given those before it: what renewal, tenure and segment change.
by_renewal as (
    select
        exposures.renewal_group,
        (max(overall.hazard_prior_churners) + sum(exposures.churner_count))
        / (max(overall.hazard_prior_churners) + sum(exposures.exposure_months * overall.hazard)) as factor
    from exposures
    cross join overall
    group by exposures.renewal_group
),

by_tenure as (
    select
        exposures.tenure_group,
        (max(overall.hazard_prior_churners) + sum(exposures.churner_count))
        / (
            max(overall.hazard_prior_churners)
            + sum(exposures.exposure_months * overall.hazard * by_renewal.factor)
        ) as factor
    from exposures
    inner join by_renewal
        on exposures.renewal_group = by_renewal.renewal_group
    cross join overall
    group by exposures.tenure_group
),

by_segment as (
    select
        exposures.segment,
        (max(overall.hazard_prior_churners) + sum(exposures.churner_count))
        / (
            max(overall.hazard_prior_churners)
            + sum(exposures.exposure_months * overall.hazard * by_renewal.factor * by_tenure.factor)
        ) as factor
    from exposures
    inner join by_renewal
        on exposures.renewal_group = by_renewal.renewal_group
    inner join by_tenure
        on exposures.tenure_group = by_tenure.tenure_group
    cross join overall
    group by exposures.segment
),

-- Every group that a customer may come to, watched so far or not.
grid as (
    select
        segments.segment,
        tenures.tenure_group,
        renewals.renewal_group
    from (select distinct segment from customers) as segments
    cross join (
        values ('0-6m'), ('6-12m'), ('1-2y'), ('2-5y'), ('5-7y'), ('7-10y'), ('10y+'), ('unknown')
    ) as tenures (tenure_group)
    cross join (
        values ('expired'), ('0-3m'), ('3-6m'), ('6-12m'), ('12m+'), ('unknown')
    ) as renewals (renewal_group)
),

expected as (
    select
        grid.segment,
        grid.tenure_group,
        grid.renewal_group,
        overall.horizon_months,
        overall.all_churner_count,
        overall.hazard_prior_churners,
        coalesce(exposures.watched_count, 0) as watched_count,
        coalesce(exposures.churner_count, 0e0) as churner_count,
        coalesce(exposures.exposure_months, 0e0) as exposure_months,
        overall.hazard * coalesce(by_renewal.factor, 1e0) * coalesce(by_tenure.factor, 1e0)
        * coalesce(by_segment.factor, 1e0) as expected_hazard
    from grid
    cross join overall
    left join exposures
        on
            grid.segment = exposures.segment
            and grid.tenure_group = exposures.tenure_group
            and grid.renewal_group = exposures.renewal_group
    left join by_renewal
        on grid.renewal_group = by_renewal.renewal_group
    left join by_tenure
        on grid.tenure_group = by_tenure.tenure_group
    left join by_segment
        on grid.segment = by_segment.segment
),

pooled as (
    select
        *,
        -- Churners per month of exposure as a hazard; more than 95% of a group never leave within a horizon.
        -ln(1e0 - least(
            0.95e0,
            horizon_months * expected_hazard * (hazard_prior_churners + churner_count)
            / (hazard_prior_churners + exposure_months * expected_hazard)
        )) / horizon_months as monthly_hazard
    from expected
),

final as (
    select
        segment,
        tenure_group,
        renewal_group,
        ---------- labels
        watched_count,
        cast(churner_count as bigint) as churner_count,
        exposure_months,
        ---------- hazard
        case when exposure_months > 0 then churner_count / exposure_months end as observed_monthly_hazard,
        round(monthly_hazard, 9) as monthly_hazard,
        ---------- all groups
        cast(greatest(round(horizon_months), 1) as integer) as horizon_months,
        all_churner_count > 0 as is_observed
    from pooled
)

select * from final
