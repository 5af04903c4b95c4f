{# Exact median of the non-null values of a group. Trino's own (approx_percentile) is not exact. #}
{% macro median(expression) -%}
    {{ return(adapter.dispatch('median')(expression)) }}
{%- endmacro %}

{% macro default__median(expression) -%}
    {%- set sorted -%}
        array_sort(array_agg({{ expression }}) filter (where {{ expression }} is not null))
    {%- endset -%}
    {%- set size -%}
        count({{ expression }})
    {%- endset -%}
    (
        element_at({{ sorted }}, cast(({{ size }} + 1) / 2 as integer))
        + element_at({{ sorted }}, cast({{ size }} / 2 as integer) + 1)
    ) / 2
{%- endmacro %}

{% macro duckdb__median(expression) -%}
    median({{ expression }})
{%- endmacro %}
