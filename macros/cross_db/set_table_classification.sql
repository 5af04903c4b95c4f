{#
Athena's adapter says after each table, by a query of its own, that its files are Parquet. Athena
reads that from the table; a run says it to other readers of the catalog when it publishes.
#}
{% macro set_table_classification(relation) -%}
{%- endmacro %}
