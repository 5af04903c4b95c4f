{# The timestamp of an hour (0 to 23) of a date, local clock time. #}
{% macro hour_of_date(hour, of_date) -%}
    {{ return(adapter.dispatch('hour_of_date')(hour, of_date)) }}
{%- endmacro %}

{% macro default__hour_of_date(hour, of_date) -%}
    date_add('hour', {{ hour }}, cast({{ of_date }} as timestamp))
{%- endmacro %}

{% macro duckdb__hour_of_date(hour, of_date) -%}
    cast({{ of_date }} as timestamp) + to_hours(cast({{ hour }} as integer))
{%- endmacro %}
