{# The hook on-run-start of dbt_project.yml. #}
{% macro register_external_tables_on_run_start() -%}
    {{ return(adapter.dispatch('register_external_tables_on_run_start')()) }}
{%- endmacro %}

{% macro default__register_external_tables_on_run_start() -%}
{%- endmacro %}

{% macro duckdb__register_external_tables_on_run_start() -%}
    {%- if execute -%}
        {%- do register_external_tables() -%}
    {%- endif -%}
{%- endmacro %}
