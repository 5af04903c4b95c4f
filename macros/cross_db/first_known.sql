{# First non-null value of a window; `over` is the content of the over clause. #}
{% macro first_known(expression, over) -%}
    {{ return(adapter.dispatch('first_known')(expression, over)) }}
{%- endmacro %}

{% macro default__first_known(expression, over) -%}
    first_value({{ expression }}) ignore nulls over ({{ over }})
{%- endmacro %}

{% macro duckdb__first_known(expression, over) -%}
    first_value({{ expression }} ignore nulls) over ({{ over }})
{%- endmacro %}
