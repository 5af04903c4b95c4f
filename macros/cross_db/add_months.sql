{# A date some whole months later; `months` may be negative. #}
{% macro add_months(months, from_date) -%}
    {{ return(adapter.dispatch('add_months')(months, from_date)) }}
{%- endmacro %}

{% macro default__add_months(months, from_date) -%}
    date_add('month', {{ months }}, {{ from_date }})
{%- endmacro %}

{% macro duckdb__add_months(months, from_date) -%}
    cast({{ from_date }} + to_months(cast({{ months }} as integer)) as date)
{%- endmacro %}
