{# No row rests on a date after its as-of date: one scan for all of its dates, each null where there is none. #}
{% test not_after_as_of_date(model, columns) %}
select *
from {{ model }}
where as_of_date is null{% for column in columns %} or {{ column }} > as_of_date{% endfor %}
{% endtest %}
