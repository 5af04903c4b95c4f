{# Whether a double is a number that one can act on: neither null, nor NaN, nor infinite. #}
{% macro is_finite(expression) -%}
    {{ return(adapter.dispatch('is_finite')(expression)) }}
{%- endmacro %}

{% macro default__is_finite(expression) -%}
    coalesce(is_finite({{ expression }}), false)
{%- endmacro %}

{% macro duckdb__is_finite(expression) -%}
    coalesce(isfinite({{ expression }}), false)
{%- endmacro %}
