{#
A query that groups a relation and adds doubles up in a stated order: another order gives other last digits.
DuckDB sorts the rows of a group once for all such aggregates, where `sum(x order by y)` sorts for each.

relation: a CTE; keys: columns to group by; order: a column, unique within a group.
in_order: by name, the aggregate and its argument; in_any_order: by name, whole aggregates.
#}
{% macro aggregates_in_order(relation, keys, order, in_order, in_any_order) -%}
    {{ return(adapter.dispatch('aggregates_in_order')(relation, keys, order, in_order, in_any_order)) }}
{%- endmacro %}

{% macro default__aggregates_in_order(relation, keys, order, in_order, in_any_order) -%}
    select
        {{ keys | join(', ') }}
        {%- for name, (aggregate, argument) in in_order.items() %},
        {{ aggregate }}({{ argument }} order by {{ order }}) as {{ name }}
        {%- endfor %}
        {%- for name, expression in in_any_order.items() %},
        {{ expression }} as {{ name }}
        {%- endfor %}
    from {{ relation }}
    group by {{ keys | join(', ') }}
{%- endmacro %}

{% macro duckdb__aggregates_in_order(relation, keys, order, in_order, in_any_order) -%}
    select
        {{ keys | join(', ') }}
        {%- for name, (aggregate, argument) in in_order.items() %},
        list_aggregate(list_transform(sorted_rows, lambda entry: entry.{{ name }}), '{{ aggregate }}') as {{ name }}
        {%- endfor %}
        {%- for name in in_any_order %},
        {{ name }}
        {%- endfor %}
    from (
        select
            {{ keys | join(', ') }},
            list_select(
                list(struct_pack(
                    {%- for name, (aggregate, argument) in in_order.items() %}
                    {{ name }} := {{ argument }}{{ ',' if not loop.last }}
                    {%- endfor %}
                )),
                list_grade_up(list({{ order }}))
            ) as sorted_rows
            {%- for name, expression in in_any_order.items() %},
            {{ expression }} as {{ name }}
            {%- endfor %}
        from {{ relation }}
        group by {{ keys | join(', ') }}
    ) as grouped
{%- endmacro %}
