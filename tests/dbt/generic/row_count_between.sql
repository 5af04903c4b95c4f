{# The table holds at least and at most so many rows. #}
{% test row_count_between(model, minimum, maximum) %}
select count(*) as row_count
from {{ model }}
having count(*) < {{ minimum }} or count(*) > {{ maximum }}
{% endtest %}
