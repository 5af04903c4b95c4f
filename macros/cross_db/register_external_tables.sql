{#
Registers the landed tables and those that python_ml writes in the catalog, or brings them up to
date. Columns, types and partitions are those of models/sources.yml, and nowhere else.

    dbt run-operation register_external_tables --args '{folders: {raw: s3://bucket/lake/batches/1}}'

`folders` names the folder of a source when it is another than `<lake>/<source>`: landed data moves
on with each batch. Engines that read files by their path have nothing to register.
#}
{% macro register_external_tables(folders={}) -%}
    {{ return(adapter.dispatch('register_external_tables')(folders)) }}
{%- endmacro %}

{% macro default__register_external_tables(folders) -%}
{%- endmacro %}

{% macro athena__register_external_tables(folders) -%}
    {%- set lake = env_var('DBT_SPANISHGAS_LAKE') -%}
    {%- for source in graph.sources.values() -%}
        {%- set folder = folders.get(source.source_name, lake ~ '/' ~ source.source_name) -%}
        {%- set relation = api.Relation.create(
            database=source.database, schema=source.schema, identifier=source.identifier
        ) -%}
        {%- if adapter.get_relation(source.database, source.schema, source.identifier) is none -%}
            {%- do _create_external_table(relation, source, folder) -%}
        {%- else -%}
            {%- do _update_external_table(relation, source, folder, source.source_name in folders) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{# A landed month is there as soon as its folder is; a run's part only once it is registered. #}
{% macro _create_external_table(relation, source, folder) -%}
    {%- set partition = source.meta.partition -%}
    {%- do run_query('create schema if not exists ' ~ relation.without_identifier().render_hive()) -%}
    {%- set statement -%}
        create external table {{ relation.render_hive() }} (
            {{ _external_columns(source) }}
        )
        {%- if partition %}
        partitioned by (`{{ partition }}` string)
        {%- endif %}
        stored as parquet
        location '{{ folder }}/{{ source.name }}/'
        tblproperties (
            'classification' = 'parquet'
            {%- if source.meta.partition_range %},
            'projection.enabled' = 'true',
            'projection.{{ partition }}.type' = 'date',
            'projection.{{ partition }}.format' = 'yyyy-MM',
            'projection.{{ partition }}.range' = '{{ source.meta.partition_range }}'
            {%- endif %}
        )
    {%- endset -%}
    {%- do run_query(statement) -%}
{%- endmacro %}

{% macro _update_external_table(relation, source, folder, moved) -%}
    {%- set registered = [] -%}
    {%- for column in adapter.get_columns_in_relation(relation) -%}
        {%- if column.name != source.meta.partition -%}
            {%- do registered.append('`' ~ column.name ~ '` ' ~ _hive_type(column.dtype)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if registered | join(', ') != _external_columns(source) -%}
        {%- do run_query(
            'alter table ' ~ relation.render_hive() ~ ' replace columns (' ~ _external_columns(source) ~ ')'
        ) -%}
    {%- endif -%}
    {%- if moved -%}
        {%- do run_query(
            'alter table ' ~ relation.render_hive() ~ " set location '" ~ folder ~ '/' ~ source.name ~ "/'"
        ) -%}
    {%- endif -%}
{%- endmacro %}

{% macro _external_columns(source) -%}
    {%- set columns = [] -%}
    {%- for column in source.columns.values() if column.name != source.meta.partition -%}
        {%- do columns.append('`' ~ column.name ~ '` ' ~ _hive_type(column.data_type)) -%}
    {%- endfor -%}
    {{ return(columns | join(', ')) }}
{%- endmacro %}

{% macro _hive_type(data_type) -%}
    {{ return({'varchar': 'string', 'integer': 'int'}.get(data_type, data_type)) }}
{%- endmacro %}
