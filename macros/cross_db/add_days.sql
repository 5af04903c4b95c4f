{# A date some whole days later; `days` may be an expression. #}
{% macro add_days(days, from_date) -%}
    {{ return(adapter.dispatch('add_days')(days, from_date)) }}
{%- endmacro %}

{% macro default__add_days(days, from_date) -%}
    date_add('day', {{ days }}, {{ from_date }})
{%- endmacro %}

{% macro duckdb__add_days(days, from_date) -%}
    cast({{ from_date }} + to_days(cast({{ days }} as integer)) as date)
{%- endmacro %}
