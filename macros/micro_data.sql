{#
The end of a test in tests/dbt/micro: rows of the CTEs `expected` and `actual` that differ in a value, or
are in one of them only. Where another lake than the micro-data is read there is nothing to compare.
#}
{% macro rows_that_differ(keys, values) -%}
    select
        {% for key in keys -%}
        coalesce(expected.{{ key }}, actual.{{ key }}) as {{ key }},
        {% endfor -%}
        {% for value in values -%}
        expected.{{ value }} as expected_{{ value }},
        actual.{{ value }} as actual_{{ value }}{{ ',' if not loop.last }}
        {% endfor -%}
    from expected
    full outer join actual
        on {% for key in keys %}expected.{{ key }} = actual.{{ key }}{{ ' and ' if not loop.last }}{% endfor %}
    where
        (
            expected.{{ keys[0] }} is null
            or actual.{{ keys[0] }} is null
            {% for value in values -%}
            or expected.{{ value }} is distinct from actual.{{ value }}
            {% endfor -%}
        )
        and (select count(*) from {{ source('ml', 'pipeline_run') }} where batch_id = 'micro') > 0
{%- endmacro %}
