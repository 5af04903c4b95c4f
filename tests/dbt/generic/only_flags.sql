{# Each column is 0 or 1, never null: one scan for all of them. #}
{% test only_flags(model, columns) %}
select *
from (
    select
        {%- for column in columns %}
        count(*) - count(case when {{ column }} in (0, 1) then 1 end) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ model }}
) as other_counts
where {% for column in columns %}{{ column }} > 0{{ ' or ' if not loop.last }}{% endfor %}
{% endtest %}
