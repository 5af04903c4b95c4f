{# Last non-null value of a window; `over` is the content of the over clause. #}
{% macro last_known(expression, over) -%}
    {{ return(adapter.dispatch('last_known')(expression, over)) }}
{%- endmacro %}

{% macro default__last_known(expression, over) -%}
    last_value({{ expression }}) ignore nulls over ({{ over }})
{%- endmacro %}

{% macro duckdb__last_known(expression, over) -%}
    last_value({{ expression }} ignore nulls) over ({{ over }})
{%- endmacro %}
