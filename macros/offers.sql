{#
What offers rest on, for the marts that value, choose and show them. Each is a part of a statement with the
CTEs `risks` (mart_customer_risk), `economics` and `assignments` (bronze_campaign_assignment).
#}

{# Assumptions of the seed economics by name, one row. #}
{% macro economic_assumptions(names) -%}
    select
        {% for name in names -%}
        max(case when name = '{{ name }}' then value end) as {{ name }}{{ ',' if not loop.last }}
        {% endfor -%}
    from {{ ref('economics') }}
{%- endmacro %}

{# The assumptions that offers rest on, one row. #}
{% macro offer_economics() -%}
    select
        max(case when name = 'contact_cost_eur' then value end) as contact_cost_eur,
        coalesce(max(case when name = 'drive_away_probability' then value end), 0e0) as drive_away_probability,
        max(case when name = 'offer_months' then value end) as offer_months
    from {{ ref('economics') }}
{%- endmacro %}

{# Whoever takes part in a campaign, or has just taken part in one; nobody takes part in two at a time. #}
{% macro customers_in_campaigns() -%}
    select
        risks.customer_id,
        max(assignments.campaign) as current_campaign,
        max(assignments.arm) as current_arm,
        max(assignments.free_date) as free_date
    from risks
    inner join assignments
        on
            risks.customer_id = assignments.customer_id
            and risks.as_of_date < assignments.free_date
    group by risks.customer_id
{%- endmacro %}

{# Margin that an offer is expected to save, by a share saved. #}
{% macro saved_margin(save_probability) -%}
    risks.churn_probability * {{ save_probability }}
    * risks.avg_monthly_margin_eur * risks.saved_value_months
{%- endmacro %}

{# Margin that a call is expected to lose: it reminds a customer who would have stayed that one can leave. #}
{% macro lost_margin() -%}
    (1 - risks.churn_probability) * economics.drive_away_probability
    * risks.avg_monthly_margin_eur * risks.stayer_value_months
{%- endmacro %}

{#
The first rule that forbids an offer, or eligible.

is_busy: condition that the customer takes part in a campaign.
first: branches that come before.
#}
{% macro offer_verdict(is_busy, first='') -%}
    case
        {{ first }}
        when {{ is_busy }} then 'in_campaign'
        when not {{ is_finite('avg_monthly_margin_eur') }} then 'margin_unknown'
        when avg_monthly_margin_eur <= 0 then 'margin_not_positive'
        when not {{ is_finite('expected_net_value_eur') }} then 'value_unknown'
        when expected_net_value_eur < 0 then 'value_negative'
        when reason_1_code is null then 'no_reason'
        else 'eligible'
    end
{%- endmacro %}
