-- What the mapping of the batch declares that there is not. Only a run knows it; by hand, it is a variable.
{% set inputs = var('absent', none) or [] %}
with

declared as (
    {% for input in inputs %}
    select
        '{{ input }}' as input_name,
        '{{ input.split(".")[0] }}' as table_name,
        {{ "'" ~ input.split(".")[1] ~ "'" if '.' in input else 'cast(null as varchar)' }} as column_name
    {{ 'union all' if not loop.last }}
    {% else %}
    select
        cast(null as varchar) as input_name,
        cast(null as varchar) as table_name,
        cast(null as varchar) as column_name
    {% endfor %}
),

final as (
    select
        cast(input_name as varchar) as input_name,
        ---------- attributes
        cast(table_name as varchar) as table_name,
        column_name
    from declared
    where input_name is not null
)

select * from final
