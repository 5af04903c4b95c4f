{#
What columns of gold_master and marts rest on, by the `needs` of their YAML: table and column of the raw data, kind
(feature, business or mart), name and tier. dbt knows the graph only when it runs.
#}
{% macro gold_inputs() -%}
    {%- set uses = [] -%}
    {%- if execute -%}
        {%- for column in graph.nodes['model.' ~ project_name ~ '.gold_master'].columns.values()
            if column.config.meta.role in ('feature', 'business') -%}
            {%- for need in column.config.meta.get('needs', []) -%}
                {%- do uses.append({
                    'table': need.split('.')[0],
                    'column': need.split('.')[1],
                    'kind': column.config.meta.role,
                    'name': column.name,
                    'tier': column.config.meta.get('tier', ''),
                }) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' and 'marts' in node.fqn and node.config.get('meta', {}).get('needs') -%}
            {%- for need in node.config.meta.needs -%}
                {%- do uses.append({
                    'table': need.split('.')[0],
                    'column': need.split('.')[1],
                    'kind': 'mart',
                    'name': node.name,
                    'tier': '',
                }) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(uses) }}
{%- endmacro %}

{# Which of the raw tables and columns (table.column) that something rests on the batch is declared to lack. #}
{% macro missing_of(needs) -%}
    {%- set absent = var('absent', none) or [] -%}
    {%- set missing = [] -%}
    {%- for need in needs or [] if need in absent or need.split('.')[0] in absent -%}
        {%- do missing.append(need) -%}
    {%- endfor -%}
    {{ return(missing) }}
{%- endmacro %}
