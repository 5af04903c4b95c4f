{#
Athena: whether a query has the columns of the contract, asked of views only; a table is looked at
once it is there (safe_create_table_as).
#}
{% macro athena__get_assert_columns_equivalent(sql) -%}
    {%- if config.get('materialized') == 'view' -%}
        {%- do _assert_contract(get_column_schema_from_query(sql)) -%}
    {%- endif -%}
{%- endmacro %}
