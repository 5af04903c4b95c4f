{#
Athena: build a table, then hold its columns to the contract as the catalog has them, before the
table takes the place of the one before. dbt would ask by two queries first, of the model and of the
contract.
#}
{% macro safe_create_table_as(temporary, relation, compiled_code, language='sql', force_batch=false) -%}
    {%- set outcome = dbt.safe_create_table_as(temporary, relation, compiled_code, language, force_batch) -%}
    {%- if config.get('contract').enforced and not temporary -%}
        {%- do _assert_contract(adapter.get_columns_in_relation(relation)) -%}
    {%- endif -%}
    {{ return(outcome) }}
{%- endmacro %}

{# Raise dbt's own error where the columns are not those that the model declares. #}
{% macro _assert_contract(columns) -%}
    {%- set built = [] -%}
    {%- for column in columns -%}
        {%- do built.append(_contract_column(column.name, column.dtype)) -%}
    {%- endfor -%}
    {%- set declared = [] -%}
    {%- for column in model.columns.values() -%}
        {%- do declared.append(_contract_column(column.name, column.data_type)) -%}
    {%- endfor -%}
    {%- if built | map(attribute='formatted') | sort != declared | map(attribute='formatted') | sort -%}
        {%- do exceptions.raise_contract_error(declared, built) -%}
    {%- endif -%}
{%- endmacro %}

{# The catalog has Hive's names of types, and the length of a text that is known to be short. #}
{% macro _contract_column(name, data_type) -%}
    {%- set kind = (data_type | lower).split('(')[0] -%}
    {%- set kind = {'string': 'varchar', 'int': 'integer'}.get(kind, kind) -%}
    {{ return({'name': name, 'data_type': kind, 'formatted': name | lower ~ ' ' ~ kind}) }}
{%- endmacro %}
