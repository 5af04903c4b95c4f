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

-- Every group that a customer may come to, watched so far or not.
segments as (
    select distinct segment from customers
),

grid as (
    select
        segments.segment,
        tenures.tenure_group,
        renewals.renewal_group,
        economics.hazard_prior_churners,
        economics.monthly_churn_probability,
        economics.label_months,
        coalesce(exposures.watched_count, 0) as watched_count,
        coalesce(exposures.churner_count, 0e0) as churner_count,
        coalesce(exposures.exposure_months, 0e0) as exposure_months
    from segments
    cross join economics
    cross join (
        {{ band_rows(tenure_bands() + late_tenure_bands()) }}
    ) as tenures (tenure_group)
    cross join (
        {{ band_rows(renewal_bands()) }}
    ) as renewals (renewal_group)
    left join exposures
        on
            segments.segment = exposures.segment
            and tenures.tenure_group = exposures.tenure_group
            and renewals.renewal_group = exposures.renewal_group
),

-- The hazard of everybody; without matured labels it is the one that is assumed. All that follows are windows over
-- the same few hundred rows: joins of each step with those before it are more stages than Athena allows.
overall as (
    select
        *,
        (hazard_prior_churners + sum(churner_count) over ())
        / (hazard_prior_churners / monthly_churn_probability + sum(exposure_months) over ()) as hazard,
        coalesce(sum(exposure_months) over () / nullif(sum(watched_count) over (), 0), label_months)
            as horizon_months,
        sum(churner_count) over () as all_churner_count
    from grid
),

-- One after the other, each given those before it: what renewal, tenure and segment change. A group that nobody
-- was in has the factor 1.
by_renewal as (
    select
        *,
        (hazard_prior_churners + sum(churner_count) over (partition by renewal_group))
        / (hazard_prior_churners + sum(exposure_months * hazard) over (partition by renewal_group))
            as renewal_factor
    from overall
),

by_tenure as (
    select
        *,
        (hazard_prior_churners + sum(churner_count) over (partition by tenure_group))
        / (hazard_prior_churners + sum(exposure_months * hazard * renewal_factor) over (partition by tenure_group))
            as tenure_factor
    from by_renewal
),

by_segment as (
    select
        *,
        (hazard_prior_churners + sum(churner_count) over (partition by segment))
        / (
            hazard_prior_churners
            + sum(exposure_months * hazard * renewal_factor * tenure_factor) over (partition by segment)
        ) as segment_factor
    from by_tenure
),

expected as (
    select
        *,
        hazard * renewal_factor * tenure_factor * segment_factor as expected_hazard
    from by_segment
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
