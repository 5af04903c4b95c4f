{#
dbt's own statement, but for one that is not sent: once Athena has built a table, its adapter selects
the outcome as a constant, so that dbt has a result to show. Here the constant is the result.
#}
{% macro statement(name=none, fetch_result=false, auto_begin=true, language='sql') -%}
    {%- if execute -%}
        {%- set sql = caller() -%}
        {%- set outcome = sql | trim | trim(';') -%}
        {%- if name == 'main' and adapter.type() == 'athena' and (outcome | lower).startswith("select '{") -%}
            {%- set told = fromjson(outcome[8:-1]) -%}
            {%- do store_raw_result(name, message='OK ' ~ told.rowcount, code='OK', rows_affected=told.rowcount) -%}
        {%- else -%}
            {%- call dbt.statement(name, fetch_result, auto_begin, language) -%}{{ sql }}{%- endcall -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
