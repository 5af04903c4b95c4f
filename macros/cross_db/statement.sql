{#
dbt's own statement, but for two that are not sent:

- Athena: once a table is built, its adapter selects the outcome as a constant, so that dbt has a
  result to show. Here the constant is the result.
- The proof of a table's rules (keeps_contract) in a run, which proves those of many tables by one
  query after the build (python_ml/transform/dbt.py). The test passes here, and its compiled SQL is
  in dbt's result.
#}
{% macro statement(name=none, fetch_result=false, auto_begin=true, language='sql') -%}
    {%- if execute -%}
        {%- set sql = caller() -%}
        {%- set outcome = sql | trim | trim(';') -%}
        {%- if name == 'main' and adapter.type() == 'athena' and (outcome | lower).startswith("select '{") -%}
            {%- set told = fromjson(outcome[8:-1]) -%}
            {%- do store_raw_result(name, message='OK ' ~ told.rowcount, code='OK', rows_affected=told.rowcount) -%}
        {%- elif name == 'main' and var('proves_jointly') and _is_proof_of_contract(model) -%}
            {%- do store_raw_result(name, message='OK', code='OK', rows_affected=0) -%}
            {#- -1: not counted; a 0 alone would be read as a boolean. -#}
            {%- set passed = {'failures': -1, 'should_warn': false, 'should_error': false} -%}
            {%- set table = load_result(name).table.from_object([passed]) -%}
            {%- do store_raw_result(name, message='OK', code='OK', rows_affected=0, agate_table=table) -%}
        {%- else -%}
            {%- call dbt.statement(name, fetch_result, auto_begin, language) -%}{{ sql }}{%- endcall -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro _is_proof_of_contract(node) -%}
    {{ return(
        node.resource_type == 'test'
        and (node.get('test_metadata') or {}).get('name') == 'keeps_contract'
        and node.config.severity | lower == 'error'
    ) }}
{%- endmacro %}
