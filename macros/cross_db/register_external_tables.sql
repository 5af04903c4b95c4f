{#
Shows the engine the landed tables and those that python_ml writes, or brings what it knows of them up
to date. Columns, types and partitions are those of models/sources.yml, and nowhere else.

    dbt run-operation register_external_tables --args '{folders: {raw: s3://bucket/lake/batches/1}}'

`folders` names the folder of a source when it is another than `<lake>/<source>`: landed data moves
on with each batch. `sources` leaves out all others. Athena has them in its catalog, where runs register what they land. DuckDB has a
view of each table's files in the database that is built; they cost nothing, and are made anew before
every command that builds or tests (on-run-start).
#}
{% macro register_external_tables(folders={}, sources=none) -%}
    {{ return(adapter.dispatch('register_external_tables')(folders, sources)) }}
{%- endmacro %}

{% macro default__register_external_tables(folders, sources) -%}
{%- endmacro %}

{% macro duckdb__register_external_tables(folders, sources) -%}
    {#- All tables in two queries: every command that builds begins with this. -#}
    {%- set lake = _local_lake() -%}
    {%- set tables, counts, statements = [], [], [] -%}
    {%- for source in graph.sources.values() if sources is none or source.source_name in sources -%}
        {%- set folder = folders.get(source.source_name, lake.folders[source.source_name]) ~ '/' ~ source.name -%}
        {%- set files = _files_below(folder, '**/*.' ~ lake.kind) -%}
        {%- do tables.append((source, files)) -%}
        {%- do counts.append('(select count(*) from glob(' ~ files ~ '))') -%}
    {%- endfor -%}
    {%- set counted = run_query('select ' ~ counts | join(', ')).rows[0].values() -%}
    {%- for source, files in tables -%}
        {%- set relation = api.Relation.create(
            database=source.database, schema=source.schema, identifier=source.identifier
        ) -%}
        {%- set rows = _select_of_files(source, files, lake.kind, counted[loop.index0] > 0) -%}
        {%- set schema = 'create schema if not exists ' ~ relation.without_identifier() -%}
        {%- if schema not in statements -%}
            {%- do statements.append(schema) -%}
        {%- endif -%}
        {%- do statements.append('create or replace view ' ~ relation ~ ' as ' ~ rows) -%}
    {%- endfor -%}
    {%- do run_query(statements | join(';\n')) -%}
{%- endmacro %}

{# What python_ml has written of a table may be older than a column of it, and may not be there at all. #}
{% macro _select_of_files(source, files, kind, has_files) -%}
    {%- set options = 'hive_partitioning = true, hive_types_autocast = false' -%}
    {%- if kind == 'csv' and has_files -%}
        select
            {% for column in source.columns.values() -%}
            cast("{{ column.name }}" as {{ column.data_type }}) as "{{ column.name }}",
            {% endfor %}
            {{ 'month' if source.meta.partition == 'month' }}
        from read_csv(
            {{ files }}, delim = ',', quote = '"', escape = '"', header = true, all_varchar = true,
            allow_quoted_nulls = false, {{ options }}
        )
    {%- elif has_files and source.source_name == 'raw' -%}
        select * from read_parquet({{ files }}, {{ options }})
    {%- else -%}
        select
            {% for column in source.columns.values() -%}
            cast(null as {{ column.data_type }}) as "{{ column.name }}",
            {% endfor %}
            {{ 'cast(null as varchar) as month' if source.meta.partition == 'month' }}
        where false
        {% if has_files -%}
        union all by name
        select * from read_parquet({{ files }}, union_by_name = true, {{ options }})
        {%- endif %}
    {%- endif -%}
{%- endmacro %}

{#
The lake that DuckDB reads: that of the run that builds; by hand the one in the data folder, once a
batch has landed there; until then the micro-data of the repository.
#}
{% macro _local_lake() -%}
    {%- set home = env_var('DBT_SPANISHGAS_LAKE', env_var('SPANISHGAS_HOME', 'data') ~ '/lake') -%}
    {%- set raw = env_var('DBT_SPANISHGAS_RAW', home ~ '/raw') -%}
    {%- set landed = 'select count(*) from glob(' ~ _files_below(raw, 'customer_contracts/*.parquet') ~ ')' -%}
    {%- if env_var('DBT_SPANISHGAS_LAKE', '') or run_query(landed).columns[0].values()[0] > 0 -%}
        {{ return({'kind': 'parquet', 'folders': {'raw': raw, 'ml': home ~ '/ml'}}) }}
    {%- else -%}
        {{ return({'kind': 'csv', 'folders': {'raw': 'tests/micro/raw', 'ml': 'tests/micro/ml'}}) }}
    {%- endif -%}
{%- endmacro %}

{#
Files below a folder, as an SQL string for DuckDB's scans. Wildcards in the folder's own name, and
quotes, stand for themselves, as in python_ml/engines/sql.py.
#}
{% macro _files_below(folder, pattern) -%}
    {%- set plain = folder | replace('[', '[[]') | replace('*', '[*]') | replace('?', '[?]') -%}
    {{ return(dbt.string_literal(dbt.escape_single_quotes(plain ~ '/' ~ pattern))) }}
{%- endmacro %}

{% macro athena__register_external_tables(folders, sources) -%}
    {%- set schemas = [] -%}
    {%- set lake = env_var('DBT_SPANISHGAS_LAKE', env_var('SPANISHGAS_ATHENA__LAKE', '')) -%}
    {%- for source in graph.sources.values() if sources is none or source.source_name in sources -%}
        {%- set folder = folders.get(source.source_name, lake ~ '/' ~ source.source_name) -%}
        {%- set relation = api.Relation.create(
            database=source.database, schema=source.schema, identifier=source.identifier
        ) -%}
        {%- if adapter.get_relation(source.database, source.schema, source.identifier) is none -%}
            {%- if source.schema not in schemas -%}
                {%- do schemas.append(source.schema) -%}
                {%- do run_query('create schema if not exists ' ~ relation.without_identifier().render_hive()) -%}
            {%- endif -%}
            {%- do _create_external_table(relation, source, folder) -%}
        {%- else -%}
            {%- do _update_external_table(relation, source, folder, source.source_name in folders) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{# A landed month is there as soon as its folder is; a run's part only once it is registered. #}
{% macro _create_external_table(relation, source, folder) -%}
    {%- set partition = source.meta.partition -%}
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
