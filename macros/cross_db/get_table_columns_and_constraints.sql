{#
Columns of a contracted table, as DuckDB creates them before it fills them: their types, and none of
their constraints. Athena knows no constraints, so that both engines prove them by the same test
(keeps_contract), which counts the broken rows of every rule instead of stopping at the first one.
The indexes behind DuckDB's keys would only make its file larger.
#}
{% macro duckdb__get_table_columns_and_constraints() -%}
    (
    {%- for column in model.columns.values() %}
        {{ adapter.quote(column.name) if column.quote else column.name }} {{ column.data_type }}{{ ',' if not loop.last }}
    {%- endfor %}
    )
{%- endmacro %}
