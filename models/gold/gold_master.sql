-- Longer than most, and of more parents: it sets side by side every column of the contract, tier by tier.
-- As-of dates that are not built this time keep their rows: gold of one more date costs that date alone.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ delete_as_of_dates(this, ref('silver_as_of_date')) }}"
) }}

with

customers as (
    select * from {{ ref('silver_customer') }}
),

lifecycle as (
    select * from {{ ref('gold_features_1a') }}
),

market as (
    select * from {{ ref('gold_features_mp') }}
),

behaviour as (
    select * from {{ ref('gold_features_2a') }}
),

sentiment as (
    select * from {{ ref('gold_features_2b') }}
),

compound as (
    select * from {{ ref('gold_features_3') }}
),

pairs as (
    select * from {{ ref('gold_features_1b') }}
),

final as (
    select
        customers.customer_id,
        customers.as_of_date,
        ---------- tier 1A
        lifecycle.months_to_renewal,
        lifecycle.renewal_bucket,
        lifecycle.is_within_3m_of_renewal,
        lifecycle.tenure_months,
        lifecycle.tenure_bucket,
        lifecycle.is_expired_contract,
        lifecycle.segment,
        lifecycle.sales_channel,
        lifecycle.is_high_competition_province,
        lifecycle.is_second_residence,
        lifecycle.is_dual_fuel,
        lifecycle.portfolio_type,
        lifecycle.is_digital_channel,
        lifecycle.is_comparison_channel,
        lifecycle.is_own_website_channel,
        ---------- tier MP core
        market.avg_monthly_elec_kwh,
        market.total_elec_kwh_12m,
        market.avg_monthly_gas_m3,
        market.total_gas_m3_12m,
        market.gas_share_of_revenue,
        market.price_update_count,
        market.province_avg_elec_cost_12m,
        market.province_avg_gas_cost_12m,
        ---------- tier MP risk
        market.std_monthly_elec_kwh,
        market.std_monthly_gas_m3,
        market.active_months_count,
        market.std_margin,
        market.min_monthly_margin,
        market.loss_month_count,
        market.elec_price_trend_12m,
        market.gas_price_trend_12m,
        market.elec_price_volatility_12m,
        market.province_elec_cost_trend,
        market.elec_price_vs_province_cost_spread,
        market.is_price_increase,
        market.rolling_margin_trend,
        ---------- tier 2A
        behaviour.has_interaction,
        behaviour.customer_intent,
        behaviour.is_cancellation_intent,
        behaviour.is_complaint_intent,
        behaviour.recent_complaint_flag,
        behaviour.intent_severity_score,
        behaviour.last_interaction_days_ago,
        behaviour.interaction_within_3m_of_renewal,
        behaviour.is_interaction_within_30d_of_renewal,
        behaviour.complaint_near_renewal,
        behaviour.months_since_last_change,
        ---------- tier 2B
        sentiment.sentiment_label,
        sentiment.is_negative_sentiment,
        sentiment.complaint_x_negative_sentiment,
        ---------- tier 3
        compound.is_price_sensitive,
        compound.is_high_risk_lifecycle,
        compound.is_competition_x_renewal,
        compound.dual_fuel_x_renewal,
        compound.dual_fuel_x_competition,
        compound.dual_fuel_x_intent,
        ---------- tier 1B
        pairs.intent_x_renewal_bucket,
        pairs.intent_x_tenure_bucket,
        pairs.sentiment_x_renewal_bucket,
        pairs.intent_x_sentiment,
        pairs.tenure_x_renewal_bucket,
        pairs.sales_channel_x_renewal_bucket,
        pairs.has_interaction_x_renewal_bucket,
        pairs.competition_x_intent,
        ---------- business, never trained on
        market.avg_monthly_margin_eur,
        market.total_margin_eur_12m,
        customers.contracted_power_kw,
        customers.is_urban,
        customers.province_code,
        ---------- newest source dates
        {{ newest_of([
            'customers.max_attribute_date', 'lifecycle.max_attribute_date', 'compound.max_attribute_date',
            'pairs.max_attribute_date'
        ]) }} as max_attribute_date,
        {{ newest_of([
            'customers.max_contract_date', 'lifecycle.max_contract_date', 'behaviour.max_contract_date',
            'compound.max_contract_date', 'pairs.max_contract_date'
        ]) }} as max_contract_date,
        {{ newest_of([
            'lifecycle.max_reading_date', 'market.max_reading_date', 'compound.max_reading_date'
        ]) }} as max_reading_date,
        market.max_price_date,
        market.max_cost_date,
        {{ newest_of([
            'behaviour.max_contact_date', 'sentiment.max_contact_date', 'compound.max_contact_date',
            'pairs.max_contact_date'
        ]) }} as max_contact_date,
        ---------- target
        customers.churn
    from customers
    inner join lifecycle
        on
            customers.customer_id = lifecycle.customer_id
            and customers.as_of_date = lifecycle.as_of_date
    inner join market
        on
            customers.customer_id = market.customer_id
            and customers.as_of_date = market.as_of_date
    inner join behaviour
        on
            customers.customer_id = behaviour.customer_id
            and customers.as_of_date = behaviour.as_of_date
    inner join sentiment
        on
            customers.customer_id = sentiment.customer_id
            and customers.as_of_date = sentiment.as_of_date
    inner join compound
        on
            customers.customer_id = compound.customer_id
            and customers.as_of_date = compound.as_of_date
    inner join pairs
        on
            customers.customer_id = pairs.customer_id
            and customers.as_of_date = pairs.as_of_date
)

select * from final
