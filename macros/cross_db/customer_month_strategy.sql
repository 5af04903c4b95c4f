{# How an incremental build puts touched months in the place of what was there. #}
{% macro customer_month_strategy() -%}
    {{ return(adapter.dispatch('customer_month_strategy')()) }}
{%- endmacro %}

{% macro default__customer_month_strategy() -%}
    {{ return('merge') }}
{%- endmacro %}

{% macro duckdb__customer_month_strategy() -%}
    {{ return('delete+insert') }}
{%- endmacro %}
