{#
The features of gold_master by its contract: name, tier, unit and whether it is a number. dbt knows the
graph only when it runs, so that there are none while it parses.
#}
{% macro gold_features() -%}
    {%- set features = [] -%}
    {%- if execute -%}
        {%- for column in graph.nodes['model.' ~ project_name ~ '.gold_master'].columns.values() -%}
            {%- set meta = column.config.meta -%}
            {%- if meta.role == 'feature' -%}
                {%- do features.append({
                    'name': column.name,
                    'tier': meta.tier,
                    'unit': meta.get('unit', ''),
                    'is_number': column.data_type | lower != 'varchar',
                }) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(features) }}
{%- endmacro %}
