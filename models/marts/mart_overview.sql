with

risks as (
    select * from {{ ref('mart_customer_risk') }}
),

recommendations as (
    select * from {{ ref('mart_recommendation') }}
),

performance as (
    select * from {{ ref('mart_model_performance') }}
),

campaign as (
    select * from {{ ref('offer_campaign') }}
),

risk_totals as (
    select
        run_id,
        as_of_date,
        model_version,
        count(*) as customer_count,
        count(case when is_at_risk then 1 end) as at_risk_count,
        count(case when is_flagged then 1 end) as flagged_count,
        round({{ exact_mean('churn_probability', digits=9) }}, 6) as mean_churn_probability,
        round({{ exact_sum('expected_monthly_loss_eur') }}, 2) as expected_monthly_loss_eur,
        count(case when expected_monthly_loss_eur is null then 1 end) as unknown_margin_count
    from risks
    group by run_id, as_of_date, model_version
),

offer_totals as (
    select
        count(case when decision = 'offered' then 1 end) as offer_count,
        count(case when decision not in ('offered', 'low_risk', 'over_budget') then 1 end)
            as withheld_offer_count,
        count(case when decision = 'over_budget' then 1 end) as over_budget_count,
        coalesce(round({{ exact_sum('discount_eur_month') }}, 2), 0) as discount_eur_month,
        coalesce(round({{ exact_sum('offer_budget_eur') }}, 2), 0) as offer_budget_eur,
        coalesce(round({{ exact_sum('contact_cost_eur') }}, 2), 0) as contact_cost_eur,
        coalesce(round({{ exact_sum('case when decision = \'offered\' then expected_net_value_eur end') }}, 2), 0)
            as expected_net_value_eur
    from recommendations
),

overall_metrics as (
    select
        *,
        feature_set = 'champion' as is_champion
    from performance
    where measure_kind = 'metric' and slice_dimension = 'overall' and feature_set in ('champion', 'without_text')
),

metrics as (
    select
        {% for metric in ['pr_auc', 'roc_auc', 'precision', 'recall', 'ece'] %}
        max(case when is_champion and measure = '{{ metric }}' then measure_value end) as test_{{ metric }},
        max(case when is_champion and measure = '{{ metric }}' then ci_low end) as test_{{ metric }}_ci_low,
        max(case when is_champion and measure = '{{ metric }}' then ci_high end) as test_{{ metric }}_ci_high,
        {% endfor %}
        max(case when not is_champion and measure = 'pr_auc' then measure_value end) as test_pr_auc_without_text,
        max(case when not is_champion and measure = 'roc_auc' then measure_value end) as test_roc_auc_without_text,
        max(training_as_of_date) as training_as_of_date
    from overall_metrics
),

gate as (
    select
        count(*) as gate_check_count,
        count(case when is_passed then 1 end) as gate_passed_count
    from performance
    where measure_kind = 'gate'
),

final as (
    select
        risk_totals.run_id,
        risk_totals.as_of_date,
        metrics.training_as_of_date,
        risk_totals.model_version,
        ---------- customers
        risk_totals.customer_count,
        risk_totals.at_risk_count,
        risk_totals.flagged_count,
        risk_totals.mean_churn_probability,
        risk_totals.expected_monthly_loss_eur,
        risk_totals.unknown_margin_count,
        ---------- offers
        offer_totals.offer_count,
        offer_totals.withheld_offer_count,
        offer_totals.over_budget_count,
        campaign.policy as offer_policy,
        campaign.budget_eur as campaign_budget_eur,
        offer_totals.discount_eur_month,
        offer_totals.offer_budget_eur,
        offer_totals.contact_cost_eur,
        -- Where no margin is known, nor is what offers could bring.
        case
            when risk_totals.unknown_margin_count < risk_totals.customer_count then offer_totals.expected_net_value_eur
        end as expected_net_value_eur,
        ---------- model, on the test part
        {% for metric in ['pr_auc', 'roc_auc', 'precision', 'recall', 'ece'] %}
        metrics.test_{{ metric }},
        metrics.test_{{ metric }}_ci_low,
        metrics.test_{{ metric }}_ci_high,
        {% endfor %}
        metrics.test_pr_auc_without_text,
        metrics.test_roc_auc_without_text,
        gate.gate_check_count,
        gate.gate_passed_count
    from risk_totals
    cross join offer_totals
    cross join campaign
    cross join metrics
    cross join gate
)

select * from final
