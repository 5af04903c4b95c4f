{# What the batch is declared to lack, with everything that rests on it, as the YAML of gold and of the marts says. #}
{% set uses = gold_inputs() %}
with

missing as (
    select * from {{ ref('bronze_missing_input') }}
),

{% if uses %}
uses as (
    select
        listed.table_name,
        listed.column_name,
        listed.affected_kind,
        listed.affected_name,
        listed.tier
    from (
        values
        {% for use in uses %}
        ('{{ use.table }}', '{{ use.column }}', '{{ use.kind }}', '{{ use.name }}', '{{ use.tier }}')
        {{- ',' if not loop.last }}
        {% endfor %}
    ) as listed (table_name, column_name, affected_kind, affected_name, tier)
),
{% endif %}

final as (
    select distinct
        missing.input_name,
        {% if uses %}
        coalesce(uses.affected_kind, 'none') as affected_kind,
        coalesce(uses.affected_name, '') as affected_name,
        ---------- attributes
        coalesce(uses.tier, '') as tier
        {% else %}
        'none' as affected_kind,
        '' as affected_name,
        ---------- attributes
        '' as tier
        {% endif %}
    from missing
    {% if uses %}
    left join uses
        on
            missing.table_name = uses.table_name
            and coalesce(missing.column_name, uses.column_name) = uses.column_name
    {% endif %}
)

select * from final
