{# How an incremental build puts touched months in the place of what was there. #}
{% macro customer_month_strategy() -%}
    {{ return(adapter.dispatch('customer_month_strategy')()) }}
{%- endmacro %}

{# No run names touched months on other engines yet, so that the table is always built whole. #}
{% macro default__customer_month_strategy() -%}
    {{ return('append') }}
{%- endmacro %}

{% macro duckdb__customer_month_strategy() -%}
    {{ return('delete+insert') }}
{%- endmacro %}
