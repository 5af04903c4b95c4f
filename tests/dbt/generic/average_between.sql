{# The mean of an expression lies in a band, both ends inside. An empty table has no mean. #}
{% test average_between(model, expression, minimum, maximum) %}
select avg(cast({{ expression }} as double)) as average
from {{ model }}
having avg(cast({{ expression }} as double)) < {{ minimum }} or avg(cast({{ expression }} as double)) > {{ maximum }}
{% endtest %}
