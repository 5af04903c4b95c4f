{#
How pages and lists write the codes of decisions, policies, offers and arms of campaigns: the only place that has
the words. A code without words is written with spaces.
#}
{%- macro _shown(column, words) -%}
    case {{ column }}
        {%- for code, name in words.items() %}
        when '{{ code }}' then '{{ name }}'
        {%- endfor %}
        else replace({{ column }}, '_', ' ')
    end
{%- endmacro -%}

{# Why an offer is made, or not; the rules are in offers.sql and mart_recommendation. #}
{%- macro shown_decision(column) -%}
    {{- _shown(column, {
        'offered': 'Offer to make',
        'over_budget': 'No offer: over the budget',
        'in_campaign': 'No offer: in a campaign',
        'value_negative': 'No offer: net value negative',
        'value_unknown': 'No offer: net value unknown',
        'margin_not_positive': 'No offer: margin not positive',
        'margin_unknown': 'No offer: margin unknown',
        'no_reason': 'No offer: no reason',
        'low_risk': 'No offer: low risk',
    }) -}}
{%- endmacro -%}

{%- macro shown_policy(column) -%}
    {{- _shown(column, {
        'contact_nobody': 'Contact nobody',
        'contact_everybody': 'Contact everybody',
        'fixed_tiers': 'By risk tier',
        'expected_value': 'By expected value',
    }) -}}
{%- endmacro -%}

{# Offers are named in the seed offer_policy: offer_small is a small discount. #}
{%- macro shown_offer(column) -%}
    case
        when {{ column }} = 'control' then 'Control group: do not contact'
        when {{ column }} = 'contact_only' then 'Call only'
        when substring({{ column }}, 1, 6) = 'offer_'
            then
                upper(substring({{ column }}, 7, 1)) || replace(substring({{ column }}, 8), '_', ' ') || ' discount'
        else upper(substring({{ column }}, 1, 1)) || replace(substring({{ column }}, 2), '_', ' ')
    end
{%- endmacro -%}
