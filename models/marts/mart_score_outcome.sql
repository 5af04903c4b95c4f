{% set dimensions = {
    'all customers': "'all'",
    'risk tier': 'risk_tier',
    'segment': 'segment',
} %}
{%- set z = '1.959963984540054e0' -%}
{%- set whole = "cast(cast(round({}) as bigint) as varchar)" %}
with

limits as (
    select
        max(case when name = 'relative_tolerance' then value end) as relative_tolerance,
        max(case when name = 'chance_standard_errors' then value end) as chance_standard_errors,
        max(case when name = 'minimum_expected_count' then value end) as minimum_expected_count
    from {{ ref('score_limits') }}
),

failed as (
    select run_id from {{ source('ml', 'pipeline_run') }}
    where status = 'failed'
),

-- Of several runs on one date the last counts that was published by then.
runs as (
    select
        scored.as_of_date,
        max(scored.run_id) as run_id
    from {{ source('ml', 'customer_score') }} as scored
    left join failed
        on scored.run_id = failed.run_id
    where scored.run_id <= {{ shown_run_id() }} and failed.run_id is null
    group by scored.as_of_date
),

scores as (
    select
        scored.*,
        runs.run_id = max(runs.run_id) over () as is_of_newest_run
    from {{ source('ml', 'customer_score') }} as scored
    inner join runs
        on scored.run_id = runs.run_id
),

estimates as (
    select
        estimates.run_id,
        estimates.dimension,
        estimates.group_name,
        max(estimates.training_as_of_date) as training_as_of_date,
        {% for measure in ['churn_share', 'pr_auc', 'ece'] %}
        max(case when estimates.measure = '{{ measure }}' then estimates.estimate end) as {{ measure }},
        max(case when estimates.measure = '{{ measure }}' then estimates.ci_low end) as {{ measure }}_low,
        max(case when estimates.measure = '{{ measure }}' then estimates.ci_high end) as {{ measure }}_high,
        {% endfor %}
        max(estimates.calibration_sd) as calibration_sd
    from {{ source('ml', 'score_estimate') }} as estimates
    inner join runs
        on estimates.run_id = runs.run_id
    group by estimates.run_id, estimates.dimension, estimates.group_name
),

labels as (
    select * from {{ ref('bronze_churn_label') }}
),

label_dates as (
    select * from {{ ref('bronze_label_date') }}
    where is_matured
),

-- A model that has learned from the labels of the very date has forecast nothing.
dated as (
    select
        runs.run_id,
        runs.as_of_date,
        label_dates.matured_date,
        coalesce(estimates.training_as_of_date < runs.as_of_date, true) as is_forecast,
        label_dates.matured_date is not null
        and coalesce(estimates.training_as_of_date < runs.as_of_date, true) as is_measured
    from runs
    left join label_dates
        on runs.as_of_date = label_dates.label_date
    left join estimates
        on
            runs.run_id = estimates.run_id
            and estimates.dimension = 'all customers'
),

-- The newest run that has measured a date knows most of who was contacted.
measuring as (
    select
        outcomes.scored_run_id,
        max(outcomes.run_id) as run_id
    from {{ source('ml', 'score_outcome') }} as outcomes
    inner join dated
        on
            outcomes.scored_run_id = dated.run_id
            and dated.is_measured
    where outcomes.run_id <= {{ shown_run_id() }}
    group by outcomes.scored_run_id
),

outcomes as (
    select
        {% for measure in ['pr_auc', 'ece', 'calibration_slope'] %}
        max(case when outcomes.measure = '{{ measure }}' then outcomes.measured_value end) as {{ measure }},
        max(case when outcomes.measure = '{{ measure }}' then outcomes.ci_low end) as {{ measure }}_low,
        max(case when outcomes.measure = '{{ measure }}' then outcomes.ci_high end) as {{ measure }}_high,
        {% endfor %}
        outcomes.scored_run_id,
        outcomes.dimension,
        outcomes.group_name
    from {{ source('ml', 'score_outcome') }} as outcomes
    inner join measuring
        on
            outcomes.scored_run_id = measuring.scored_run_id
            and outcomes.run_id = measuring.run_id
    group by outcomes.scored_run_id, outcomes.dimension, outcomes.group_name
),

-- Whoever was contacted within the horizon did not leave, or stay, as the score meant it. Of several campaigns
-- the chances to be left alone multiply.
campaigns as (
    select
        customers.customer_id,
        dated.run_id,
        min(case when customers.arm = 'control' and not customers.is_contacted then 1 else 0 end) = 1 as was_left_alone,
        exp(-sum(ln(case when customers.control_propensity > 0 then customers.control_propensity else 1e0 end)))
            as weight
    from {{ ref('silver_campaign_customer') }} as customers
    inner join dated
        on
            customers.as_of_date < dated.matured_date
            and customers.outcome_date > dated.as_of_date
            and dated.is_measured
    group by customers.customer_id, dated.run_id
),

-- Whether a date is measured is asked beside the join: with a condition on one side alone, DuckDB compares each
-- score with each label, for minutes in the second year.
known as (
    select
        scores.as_of_date,
        scores.run_id,
        scores.model_version,
        scores.risk_tier,
        scores.segment,
        scores.churn_probability,
        scores.is_of_newest_run,
        dated.matured_date,
        dated.is_forecast,
        dated.is_measured,
        case when dated.is_measured then labels.churn end as churn,
        -- The control group stands for those who were contacted.
        coalesce(campaigns.weight, 1e0) as weight
    from scores
    inner join dated
        on scores.run_id = dated.run_id
    left join labels
        on
            scores.customer_id = labels.customer_id
            and scores.as_of_date = labels.label_date
    left join campaigns
        on
            scores.customer_id = campaigns.customer_id
            and scores.run_id = campaigns.run_id
    where not dated.is_measured or (labels.churn is not null and coalesce(campaigns.was_left_alone, true))
),

groups as (
    {% for dimension, expression in dimensions.items() %}
    select
        as_of_date,
        run_id,
        model_version,
        is_of_newest_run,
        matured_date,
        is_forecast,
        is_measured,
        '{{ dimension }}' as dimension,
        {{ expression }} as group_name,
        churn_probability,
        churn,
        weight
    from known
    where {{ expression }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

sums as (
    select
        as_of_date,
        dimension,
        group_name,
        is_forecast,
        is_measured,
        max(run_id) as run_id,
        max(model_version) as model_version,
        max(case when is_of_newest_run then 1 else 0 end) = 1 as is_of_newest_run,
        max(matured_date) as matured_date,
        count(*) as customer_count,
        cast(sum(churn) as bigint) as churner_count,
        sum(weight) as weight,
        sum(weight * churn_probability) as expected_count,
        case when is_measured then sum(weight * churn) end as observed_count,
        sqrt(sum(weight * weight * churn_probability * (1e0 - churn_probability))) as standard_error
    from groups
    group by as_of_date, dimension, group_name, is_forecast, is_measured
),

judged as (
    select
        sums.*,
        sums.observed_count - sums.expected_count as excess,
        max(case when sums.is_of_newest_run then sums.model_version end) over () as current_version,
        max(case when sums.is_measured then sums.as_of_date end) over () as newest_date,
        estimates.churn_share,
        estimates.churn_share_low,
        estimates.churn_share_high,
        estimates.pr_auc as estimated_pr_auc,
        estimates.pr_auc_low as estimated_pr_auc_low,
        estimates.pr_auc_high as estimated_pr_auc_high,
        estimates.ece_high,
        -- In customers of this group who were left alone.
        sums.expected_count * estimates.calibration_sd / nullif(estimates.churn_share, 0) as calibration_error,
        outcomes.calibration_slope,
        outcomes.calibration_slope_low,
        outcomes.calibration_slope_high,
        outcomes.pr_auc,
        outcomes.pr_auc_low,
        outcomes.pr_auc_high,
        outcomes.ece,
        coalesce(
            abs(sums.observed_count - sums.expected_count) > limits.relative_tolerance * sums.expected_count
            and abs(sums.observed_count - sums.expected_count) > limits.chance_standard_errors * sums.standard_error
            and least(sums.expected_count, sums.weight - sums.expected_count) >= limits.minimum_expected_count,
            false
        ) as is_off
    from sums
    cross join limits
    left join estimates
        on
            sums.run_id = estimates.run_id
            and sums.dimension = estimates.dimension
            and sums.group_name = estimates.group_name
    left join outcomes
        on
            sums.run_id = outcomes.scored_run_id
            and sums.dimension = outcomes.dimension
            and sums.group_name = outcomes.group_name
),

final as (
    select
        as_of_date,
        dimension,
        group_name,
        ---------- origin
        run_id as scored_run_id,
        model_version,
        matured_date,
        is_measured,
        coalesce(is_measured and as_of_date = newest_date, false) as is_newest,
        coalesce(model_version = current_version, false) as is_current_model,
        ---------- counts
        customer_count,
        case when is_measured then churner_count end as churner_count,
        round(expected_count, 6) as expected_count,
        round(greatest(0e0, expected_count - {{ z }} * standard_error), 6) as expected_count_low,
        round(expected_count + {{ z }} * standard_error, 6) as expected_count_high,
        round(observed_count, 6) as observed_count,
        ---------- observed over expected
        round(observed_count / nullif(expected_count, 0), 6) as ratio,
        -- Engines differ in the greatest of a number and null.
        case
            when observed_count is not null and expected_count > 0
                then round(greatest(0e0, (observed_count - {{ z }} * standard_error) / expected_count), 6)
        end as ratio_low,
        round((observed_count + {{ z }} * standard_error) / nullif(expected_count, 0), 6) as ratio_high,
        is_off,
        ---------- calibration and ranking, once labels have matured
        round(calibration_slope, 6) as calibration_slope,
        round(calibration_slope_low, 6) as calibration_slope_low,
        round(calibration_slope_high, 6) as calibration_slope_high,
        round(pr_auc, 6) as pr_auc,
        round(pr_auc_low, 6) as pr_auc_low,
        round(pr_auc_high, 6) as pr_auc_high,
        round(ece, 6) as ece,
        round(ece_high, 6) as ece_by_chance,
        ---------- estimate without labels, as it was when the scores were published
        round(observed_count / nullif(weight, 0), 6) as observed_share,
        round(coalesce(churn_share, expected_count / nullif(weight, 0)), 6) as estimated_share,
        round(churn_share_low, 6) as estimated_share_low,
        round(churn_share_high, 6) as estimated_share_high,
        round(estimated_pr_auc, 6) as estimated_pr_auc,
        round(estimated_pr_auc_low, 6) as estimated_pr_auc_low,
        round(estimated_pr_auc_high, 6) as estimated_pr_auc_high,
        abs(excess)
        <= {{ z }} * sqrt(standard_error * standard_error + calibration_error * calibration_error) as is_share_held,
        pr_auc between estimated_pr_auc_low and estimated_pr_auc_high as is_pr_auc_held,
        ---------- in words
        case
            when not is_forecast then 'no forecast'
            when not is_measured then 'not matured'
            when is_off and excess > 0 then 'too low'
            when is_off then 'too high'
            else 'as expected'
        end as verdict,
        case
            when not is_forecast then 'The model has learned from the labels of ' || cast(as_of_date as varchar)
            when not is_measured
                then
                    'As of ' || cast(as_of_date as varchar) || ': ' || {{ whole.format('expected_count') }}
                    || ' of ' || cast(customer_count as varchar) || ' expected to leave; labels have not matured'
            else
                'As of ' || cast(as_of_date as varchar) || ': ' || {{ whole.format('observed_count') }}
                || ' left, ' || {{ whole.format('expected_count') }} || ' expected ('
                || {{ whole.format('greatest(0e0, expected_count - ' ~ z ~ ' * standard_error)') }} || ' to '
                || {{ whole.format('expected_count + ' ~ z ~ ' * standard_error') }} || ' by chance)'
        end as finding
    from judged
)

select * from final
