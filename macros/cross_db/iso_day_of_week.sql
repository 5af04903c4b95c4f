{# Monday is 1, Sunday 7. #}
{% macro iso_day_of_week(of_date) -%}
    {{ return(adapter.dispatch('iso_day_of_week')(of_date)) }}
{%- endmacro %}

{% macro default__iso_day_of_week(of_date) -%}
    day_of_week({{ of_date }})
{%- endmacro %}

{% macro duckdb__iso_day_of_week(of_date) -%}
    isodow({{ of_date }})
{%- endmacro %}
