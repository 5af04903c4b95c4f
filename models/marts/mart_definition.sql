{#
What the words on pages and in the terminal mean, with the figures of this run and of its policies in them.
`values` has, for each name in braces, the text that takes its place.
#}
{%- set percent = "cast(cast(round({} * 100) as integer) as varchar) || '%'" -%}
{%- set percent_1 = "cast(cast({} * 100 as decimal(5, 1)) as varchar) || '%'" -%}
{%- set whole = "cast(cast(round({}) as integer) as varchar)" -%}
{%- set values = {
    'tiers': 'tier_words.tiers',
    'at_risk_from': percent.format('tier_words.at_risk_from'),
    'flagged_from': percent_1.format('risk_words.flagged_from'),
    'flagged_below': 'cast(risk_words.flagged_below_count as varchar)',
    'loss_not_at_risk': percent.format('risk_words.not_at_risk_share'),
    'offer_months': whole.format('economics.offer_months'),
    'contact_cost': whole.format('economics.contact_cost_eur'),
    'saved_months': whole.format('risk_words.saved_months'),
    'value_horizon_months': whole.format('economics.value_horizon_months'),
    'discount_rate': percent.format('economics.yearly_discount_rate'),
    'save_share': "case when round(rates.least_share * 100) < round(rates.most_share * 100) then " ~ percent.format('rates.least_share')
        ~ " || ' to ' || " ~ percent.format('rates.most_share')
        ~ " else " ~ percent.format('rates.most_share') ~ " end",
    'save_basis': "case when rates.is_measured = 1 then 'as campaigns have measured' else 'an assumption' end",
    'drive_away_share': percent_1.format('economics.drive_away_probability'),
    'control_share': percent.format('campaign.control_share'),
    'policy': 'campaign.policy_name',
    'budget': "case when campaign.budget_eur is null then 'without a budget' else 'within a budget of ' || "
        ~ whole.format('campaign.budget_eur') ~ " || ' €' end",
} -%}
{%- set text = namespace(sql='definitions.definition') -%}
{%- for name, value in values.items() -%}
{%- set text.sql = "replace(" ~ text.sql ~ ", '{" ~ name ~ "}', coalesce(" ~ value ~ ", 'unknown'))" -%}
{%- endfor -%}
{%- set tier_list = dbt.listagg(
    "risk_tier || ' from ' || " ~ percent.format('minimum_probability'), "', '", "order by tier_rank desc"
) -%}
with

definitions as (
    select * from {{ ref('definitions') }}
),

tier_words as (
    select
        {{ tier_list }} as tiers,
        min(case when is_at_risk then minimum_probability end) as at_risk_from
    from {{ ref('risk_tiers') }}
),

risk_words as (
    select
        min(case when is_flagged then churn_probability end) as flagged_from,
        count(case when is_flagged and not is_at_risk then 1 end) as flagged_below_count,
        sum(case when not is_at_risk then expected_monthly_loss_eur else 0e0 end)
        / nullif(sum(expected_monthly_loss_eur), 0e0) as not_at_risk_share,
        avg(case when is_at_risk then saved_months end) as saved_months
    from {{ ref('mart_customer_risk') }}
),

economics as (
    select
        coalesce(max(case when name = 'contact_cost_eur' then value end), 0e0) as contact_cost_eur,
        coalesce(max(case when name = 'drive_away_probability' then value end), 0e0) as drive_away_probability,
        max(case when name = 'value_horizon_months' then value end) as value_horizon_months,
        coalesce(max(case when name = 'yearly_discount_rate' then value end), 0e0) as yearly_discount_rate,
        coalesce(max(case when name = 'offer_months' then value end), 0e0) as offer_months
    from {{ ref('economics') }}
),

rates as (
    select
        min(save_probability) as least_share,
        max(save_probability) as most_share,
        max(case when is_measured then 1 else 0 end) as is_measured
    from {{ ref('mart_offer_rate') }}
    where is_offer_of_tier
),

campaign as (
    select
        campaigns.budget_eur,
        campaigns.control_share,
        lower({{ shown_policy('campaigns.policy') }}) as policy_name
    from {{ ref('offer_campaign') }} as campaigns
),

final as (
    select
        definitions.position as definition_number,
        definitions.term_key,
        definitions.term,
        {{ text.sql }} as definition
    from definitions
    cross join tier_words
    cross join risk_words
    cross join economics
    cross join rates
    cross join campaign
)

select * from final
