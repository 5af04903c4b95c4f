{# Where a customer stands in time: groups of tenure and of time to renewal, for features and for the life table. #}
{% macro tenure_bucket(months) -%}
    case
        {{ _tenure_up_to_five_years(months) }}
        when {{ months }} > 60 then '5y+'
        else 'unknown'
    end
{%- endmacro %}

{# As tenure_bucket, with the last group in three: the longer somebody stays, the rarer they leave. #}
{% macro tenure_group(months) -%}
    case
        {{ _tenure_up_to_five_years(months) }}
        when {{ months }} <= 84 then '5-7y'
        when {{ months }} <= 120 then '7-10y'
        when {{ months }} > 120 then '10y+'
        else 'unknown'
    end
{%- endmacro %}

{% macro _tenure_up_to_five_years(months) -%}
    when {{ months }} <= 6 then '0-6m'
        when {{ months }} <= 12 then '6-12m'
        when {{ months }} <= 24 then '1-2y'
        when {{ months }} <= 60 then '2-5y'
{%- endmacro %}

{% macro renewal_bucket(months) -%}
    case
        when {{ months }} <= 0 then 'expired'
        when {{ months }} <= 3 then '0-3m'
        when {{ months }} <= 6 then '3-6m'
        when {{ months }} <= 12 then '6-12m'
        when {{ months }} > 12 then '12m+'
        else 'unknown'
    end
{%- endmacro %}
