{#
Months (YYYY-MM) that a build is to read again; none for all. A run names those whose landed content
or SQL is another than in the tables that it begins with.
#}
{% macro touched_months() -%}
    {{ return(var('touched_months', none)) }}
{%- endmacro %}

{# A condition on a month (YYYY-MM) that holds for what is to be read again. #}
{% macro is_touched(month) -%}
    {%- set months = touched_months() -%}
    {%- if months is none -%}
        1 = 1
    {%- elif not months -%}
        1 = 0
    {%- else -%}
        {{ month }} in ('{{ months | join("', '") }}')
    {%- endif -%}
{%- endmacro %}

{# What a month was made of: content of its readings and SQL, as a run knows it; null by hand. #}
{% macro month_version(month_start) -%}
    {%- set versions = var('month_versions', none) -%}
    {%- if versions -%}
        case {{ month_start }}
            {%- for month, version in versions.items() %}
            when date '{{ month }}-01' then '{{ version }}'
            {%- endfor %}
        end
    {%- else -%}
        cast(null as varchar)
    {%- endif -%}
{%- endmacro %}

{#
What an incremental build does first: months that are to be read again go, and so do those that are no
longer landed.
#}
{% macro delete_touched_months(table, hours) -%}
    {%- if is_incremental() -%}
        delete from {{ table }}
        where
            {{ is_touched("substr(cast(month_start as varchar), 1, 7)") }}
            or month_start not in (select month_start from {{ hours }})
            {%- set versions = var('month_versions', none) %}
            {%- if versions %}
            or substr(cast(month_start as varchar), 1, 7) not in ('{{ versions | join("', '") }}')
            {%- endif %}
    {%- endif -%}
{%- endmacro %}
