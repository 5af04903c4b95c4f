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

{#
A row per row of gold and feature of the contract, in one pass over gold whatever the number of features:
customer_id, feature, tier, unit, is_number, number_value (double) and word_value, of which one is null.
#}
{% macro gold_feature_values(gold) -%}
    {%- set features = gold_features() -%}
    select
        {{ gold }}.customer_id,
        listed.feature,
        listed.tier,
        listed.unit,
        listed.is_number,
        cast(case listed.feature
            {%- for feature in features if feature.is_number %}
            when '{{ feature.name }}' then {{ gold }}.{{ feature.name }}
            {%- endfor %}
        end as double) as number_value,
        case listed.feature
            {%- for feature in features if not feature.is_number %}
            when '{{ feature.name }}' then {{ gold }}.{{ feature.name }}
            {%- endfor %}
        end as word_value
    from {{ gold }}
    cross join (
        values
        {%- for feature in features %}
        ('{{ feature.name }}', '{{ feature.tier }}', '{{ feature.unit }}', {{ feature.is_number | lower }})
        {{- ',' if not loop.last }}
        {%- endfor %}
    ) as listed (feature, tier, unit, is_number)
{%- endmacro %}
